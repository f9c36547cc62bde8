import type { Readable } from 'node:stream'

export type ContentKind = 'image' | 'audio' | 'doc' | 'pdf' | 'html' | 'email'

/** Where a conversation's memory lives in the backend. All three are random names made by the gateway. */
export interface BackendSession {
  /** The partition of one (user, app, project). */
  readonly projectId: string
  /** Whose memory it is: the sender of the partition's `user` messages. */
  readonly senderId: string
  readonly sessionId: string
  /** Whose it is, over all of their partitions: what a backend spends on models is bounded by user. Undefined: by sender. Not for other systems. */
  readonly ownerId?: string
  /** What it holds is an explicit memory already: no model is to draw facts from it. */
  readonly isRecord?: boolean
}

/** A stored original, as a message refers to it. */
export interface BackendFile {
  readonly kind: ContentKind
  readonly name: string
  /** Canonical extension of the detected type, without a dot. */
  readonly ext: string
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  /** Opens the original for one reading; may be called again for a retry. Rejects as `ObjectStore.get` does, and its chunks are the reader's own. */
  open(signal?: AbortSignal): Promise<Readable>
  /** A short-lived URL of the original, or undefined if the object store has none to give. */
  presign(expiresInSeconds: number): Promise<string | undefined>
}

export type BackendItem =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'file'; readonly file: BackendFile }

export interface BackendMessage {
  readonly role: 'user' | 'assistant' | 'tool'
  /** Equal to the session's `senderId` for `user` messages; another random name otherwise. */
  readonly senderId: string
  /** What a reader (person or model) is shown as the speaker. */
  readonly senderName: string
  /** Unix milliseconds; strictly increasing within a session over all adds. With the session it names the message. */
  readonly timestamp: number
  readonly items: readonly BackendItem[]
  readonly toolCalls?: readonly unknown[]
  readonly toolCallId?: string
}

/** `extracted`: memories were made in this call, from what was added before; the last message may be left for the next. */
export interface AddResult {
  /** The backend's own id of the call. */
  readonly requestId: string
  readonly messageCount: number
  readonly status: 'accumulated' | 'extracted'
}

export interface FlushResult {
  readonly requestId: string
  /** `no_extraction`: there was nothing left to extract. */
  readonly status: 'extracted' | 'no_extraction'
}

export interface SearchRequest {
  readonly projectId: string
  readonly senderId: string
  readonly query: string
  /** 1..100 */
  readonly topK: number
  /** Only these sessions; undefined: the whole partition. Never empty. */
  readonly sessionIds?: readonly string[]
  readonly minScore?: number
  /** Unix ms, inclusive. */
  readonly from?: number
  /** Unix ms, inclusive. */
  readonly to?: number
  /** Each hit is to say how its score came about. */
  readonly explain?: boolean
  /** Unix ms: when the query is asked, for "last week" in it. Default: now. */
  readonly askedAt?: number
}

/** Where in a file of a message a passage stands. */
export interface FilePlace {
  /** Of the file, lower-case hex. */
  readonly sha256: string
  /** From 1. */
  readonly page?: number
  readonly sheet?: string
  /** From 1. */
  readonly slide?: number
}

/** One message that a hit came from. */
export interface HitSource {
  /** The backend's word, like that of the hit: the caller checks it. */
  readonly sessionId: string
  /** Of exactly that message. */
  readonly timestamp: number
  readonly place?: FilePlace
}

/** What a fact that a model drew from messages says of itself. */
export interface FactDetails {
  readonly type: 'preference' | 'fact' | 'experience' | 'goal' | 'relationship'
  /** 0..1 */
  readonly confidence: number
  /** Unix ms: when it happened or began to hold, if it was said. */
  readonly occurredAt?: number
  /** Id of the hit that contradicts it and is newer. */
  readonly supersededBy?: string
}

/** Parts of a score under the names that `docs/retrieval.md` explains; they add up to it, or multiply, as stated there. */
export type ScoreParts = Readonly<Record<string, number>>

/** One remembered thing. `projectId`, `senderId` and `sessionId` are what the backend says: the caller checks them. */
export interface MemoryHit {
  readonly id: string
  readonly projectId: string
  readonly senderId: string
  readonly sessionId: string
  readonly text: string
  readonly subject?: string
  readonly facts: readonly string[]
  /** Higher is better; comparable within one answer only. */
  readonly score: number
  /** Unix ms. */
  readonly timestamp: number
  /** Exactly the messages it came from, the most telling first; undefined if the backend does not say. */
  readonly sources?: readonly HitSource[]
  /** Found before its session was flushed. */
  readonly pending?: boolean
  /** Who said it. */
  readonly speaker?: string
  readonly fact?: FactDetails
  /** Only where it was asked for, and the backend can say. */
  readonly explanation?: ScoreParts
}

export interface SearchAnswer {
  /** Best first, at most `topK`. */
  readonly hits: readonly MemoryHit[]
  /** By words alone, by words and meaning together, or in the backend's own way. */
  readonly method: 'lexical' | 'hybrid' | 'backend'
  /** A sentence for people: why the answer may be poorer than usual (an embedding model that did not answer). */
  readonly notice?: string
}

/** What work in the background has left to do. */
export interface BackgroundProgress {
  /** Things still waiting, of any kind; 0: nothing. */
  readonly remaining: number
  /** Ms after which it is worth coming back; undefined if nothing is left. */
  readonly againInMs?: number
}

export interface BackendHealth {
  readonly status: 'ok' | 'unavailable'
  /** Address of the backend, or `embedded`. */
  readonly baseUrl: string
  /** What the backend says of itself; for people, never parsed. */
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * What became of a call that failed.
 * - `rejected`: refused for what it says (4xx); the same call will be refused again. Nothing was kept.
 * - `not_accepted`: not taken this time (away, busy, broken before a byte was sent); trying again may help. Nothing was kept.
 * - `unknown`: sent, but no usable answer came; it may or may not have been done.
 */
export type BackendOutcome = 'rejected' | 'not_accepted' | 'unknown'

export class BackendError extends Error {
  override name = 'BackendError'
  readonly outcome: BackendOutcome
  /** The backend's own code, e.g. `UNSUPPORTED_FORMAT`, or ours: `UNREACHABLE`, `TIMEOUT`, `BAD_ANSWER`. */
  readonly code: string
  /** True if an operator has to act before a retry can help (a missing model, a wrong setting). */
  readonly needsOperator: boolean
  /** True if it ran out of its time. */
  readonly timedOut: boolean
  /** True if the backend itself reported the failure: it is not at work on the call any more. */
  readonly answered: boolean

  constructor(
    outcome: BackendOutcome,
    code: string,
    message: string,
    options: { cause?: unknown; needsOperator?: boolean; timedOut?: boolean; answered?: boolean } = {},
  ) {
    super(message, { cause: options.cause })
    this.outcome = outcome
    this.code = code
    this.needsOperator = options.needsOperator ?? false
    this.timedOut = options.timedOut ?? false
    this.answered = options.answered ?? false
  }
}

/**
 * Extracts memories from messages and searches them. Every adapter passes `tests/contract/memory-backend.ts`.
 *
 * Everything above this line is a session: chats, resources and explicit memories differ in name only. The caller
 * serialises `add` and `flush` within a session; different sessions run concurrently. Failures are `BackendError`s;
 * an aborted `signal` counts as a lost answer (`unknown` once sent). No adapter retries by itself.
 */
export interface MemoryBackend {
  readonly name: 'embedded' | 'everos'

  /** Ms for which an add whose answer was lost may still be at work; `findMissing` is to be believed only afterwards. */
  readonly settleMs: number

  /** Whether `search` finds messages before they are flushed, as `pending` hits. Where it does not, the caller finds them in its own records. */
  readonly findsUnflushed: boolean

  /** Never rejects; answers within 2 s. */
  health(): Promise<BackendHealth>

  /**
   * Appends messages to the session's buffer; all or none. Files are read through `open`, never held whole.
   * Messages are named by (session, timestamp): sending one again that the backend already has must not be relied on
   * to be harmless, so look with `findMissing` first.
   */
  add(session: BackendSession, messages: readonly BackendMessage[], signal?: AbortSignal): Promise<AddResult>

  /** Turns what is buffered into memories. Doing it again is harmless. Found by `search` at once, or (EverOS) soon after. */
  flush(session: BackendSession, signal?: AbortSignal): Promise<FlushResult>

  /** An unknown partition or session finds nothing. */
  search(request: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer>

  /**
   * After an `unknown` add, once it has settled and before anything else was done in the session: the timestamps of those
   * messages that the backend holds neither in its buffer nor in a memory.
   */
  findMissing(session: BackendSession, timestamps: readonly number[], signal?: AbortSignal): Promise<readonly number[]>

  /**
   * Deletes a session's memories and buffer, or all that is the sender's in the partition where `sessionId` is left out, and then what was
   * counted for the owner: the buffer of a session in which they did not speak may stay. `unsupported`: this backend cannot delete, and the caller must hide what remains.
   * Forgetting what is unknown succeeds.
   */
  forget(
    target: { projectId: string; senderId: string; sessionId?: string; ownerId?: string },
    signal?: AbortSignal,
  ): Promise<'forgotten' | 'unsupported'>

  /**
   * Does a bounded piece (some seconds) of what the backend has to do besides its calls, such as asking models. Safe to repeat, and to call in several
   * processes at once; what fails is tried again at a later call. A backend that works for itself has nothing to do.
   */
  tend(signal?: AbortSignal): Promise<BackgroundProgress>

  /** Releases sockets and workers. Idempotent; no other call may follow. */
  close(): Promise<void>
}
