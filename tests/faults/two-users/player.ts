import { randomBytes } from 'node:crypto'
import type { EverosFault } from '../../helpers/fake-everos.ts'
import type { Answer, Request } from './game.ts'
import { createMark } from './marks.ts'

export interface Space {
  readonly app_id: string
  readonly project_id: string
}

/** Everybody uses the same names for everything. */
export const spaces: readonly Space[] = [
  { app_id: 'default', project_id: 'default' },
  { app_id: 'app1', project_id: 'project1' },
]
export const sessionNames = ['chat:shared', 'notes', "chat:'; --"] as const

export interface StoredFile {
  readonly id: string
  readonly bytes: Buffer
  isDeleted: boolean
}

export interface StoredMessage {
  readonly tag: string
  readonly id: string
  readonly files: readonly StoredFile[]
  /** The backend makes memories for users only: where nobody else spoke, none is left. */
  readonly isOfUser: boolean
}

export interface StoredResource {
  readonly id: string
  readonly space: number
  readonly tag: string
  readonly file: StoredFile
  /** The backend of these tests finds texts only. */
  readonly isFindable: boolean
  title: string | null
  isDeleted: boolean
}

export interface Key {
  readonly id: string | undefined
  readonly secret: string
  isRevoked: boolean
}

/** A write that was sent with an `Idempotency-Key`, and answered with success. */
export interface Write {
  readonly request: Request
  readonly answer: Answer
  /** The session or resource that the answer speaks of. */
  readonly subject: string | undefined
  isErased: boolean
}

/** What a deletion was answered with, and what it must say of how much there was; undefined where that is not known for certain. */
export interface Receipt {
  readonly id: string
  readonly kind: 'user' | 'session' | 'resource'
  readonly extent: { sessions: number; messages: number; objects: number; bytes: number } | undefined
}

/** One user, and the model of what the gateway must hold for them. */
export class Player {
  readonly mark: string
  readonly id: string
  readonly keys: Key[] = []
  /** By space and session name. */
  readonly sessions = new Map<string, StoredMessage[]>()
  readonly resources: StoredResource[] = []
  /** Every file they ever stored. */
  readonly files: StoredFile[] = []
  /** Ids and secrets of theirs that nobody else may be shown. */
  readonly own = new Set<string>()
  /** Sessions of which a request broke off: there may be more in them than is known. */
  readonly uncertain = new Set<string>()
  isUncertainOfResources = false
  /** Operations of theirs that were listed. */
  readonly operations = new Set<string>()
  readonly receipts: Receipt[] = []
  readonly writes: Write[] = []
  /** `Idempotency-Key`s that they have sent. */
  readonly usedKeys = new Set<string>()
  /** How they were made known. */
  enrolment: Request | undefined
  /** Those who had the name before, and were erased. */
  readonly former: FormerPlayer[] = []
  /** What happens to the calls that the backend gets for them, in turn. */
  plan: readonly (EverosFault | undefined)[] = []
  #planned = 0
  hadFaults = false
  #minted = 0

  constructor(letter: string, id = `user.${randomBytes(8).toString('hex')}`) {
    this.mark = createMark(letter)
    this.id = id
    this.own.add(this.id)
  }

  /** A text of theirs that can be found again. */
  say(): { tag: string; text: string } {
    const tag = `t${++this.#minted}x`
    return { tag, text: `${this.mark} harbour ${tag}` }
  }

  /** Bytes full of their mark, each at a multiple of three bytes. */
  file(tag: string, size: number): Buffer {
    const piece = `${this.mark} - `
    return Buffer.from(`${piece.repeat(Math.ceil(size / piece.length))}\n${tag}\n`)
  }

  nextFault(): EverosFault | undefined {
    return this.plan.length > 0 ? this.plan[this.#planned++ % this.plan.length] : undefined
  }

  validKeys(): Key[] {
    return this.keys.filter((key) => !key.isRevoked)
  }

  messagesOf(space: number, session: string): StoredMessage[] {
    const name = sessionKey(space, session)
    const messages = this.sessions.get(name) ?? []
    this.sessions.set(name, messages)
    return messages
  }

  /** They deleted the session or resource: answers that spoke of it are not given again. */
  eraseAnswersOf(subject: string): void {
    for (const write of this.writes) if (write.subject === subject) write.isErased = true
  }

  liveResources(space?: number): StoredResource[] {
    return this.resources.filter((row) => !row.isDeleted && (space === undefined || row.space === space))
  }
}

/** One who was erased, and what the gateway had for them at that moment. */
export interface FormerPlayer {
  readonly player: Player
  /** The gateway's own id of them. */
  readonly userId: string
  readonly scopes: readonly ScopeRow[]
  readonly objectKeys: readonly string[]
}

/** A user's space as the backend knows it. */
export interface ScopeRow {
  readonly app_id: string
  readonly upstream_project_id: string
  readonly upstream_sender_id: string
  readonly sessions: readonly string[]
}

export function sessionKey(space: number, session: string): string {
  return `${space} ${session}`
}
