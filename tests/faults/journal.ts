import { createHash, randomBytes } from 'node:crypto'
import { type Answer, type FilePart, picture, TestUser } from '../helpers/client.ts'
import type { Decisions } from './random.ts'

/**
 * - `acknowledged`: answered with a 2xx, so it must have happened, and stay.
 * - `refused`: answered otherwise, so it must not have happened.
 * - `unknown`: no whole answer came: it happened or not, but never by half.
 */
export type Outcome = 'acknowledged' | 'refused' | 'unknown'

interface Sent {
  readonly user: Account
  outcome: Outcome
}

export interface SentFile {
  readonly size: number
  readonly sha256: string
}

export interface SentMessages extends Sent {
  readonly kind: 'messages'
  readonly session: string
  /** No two messages of a journal have the same text. */
  readonly messages: readonly { readonly text: string; readonly files: readonly SentFile[] }[]
  messageIds: readonly string[]
  attachmentIds: readonly string[]
}

export interface SentResource extends Sent {
  readonly kind: 'resource'
  /** No two resources of a journal have the same title. */
  readonly title: string
  readonly file: SentFile
  resourceId?: string
}

export interface SentDeletion extends Sent {
  readonly kind: 'deletion'
  /** A session by its name, or a resource by its id. */
  readonly target: string
}

export interface SentErasure extends Sent {
  readonly kind: 'erasure'
}

export interface SentFlush extends Sent {
  readonly kind: 'flush'
}

export interface Account {
  readonly id: string
  readonly key: string
}

/** What the clients know for certain, kept outside the processes that are killed. */
export class Journal {
  readonly uploads: (SentMessages | SentResource)[] = []
  readonly deletions: SentDeletion[] = []
  readonly erasures: SentErasure[] = []
  readonly flushes: SentFlush[] = []
  /** Answers that were no 2xx, and how often they came. */
  readonly refusals: Record<string, number> = {}

  count(outcome: Outcome): number {
    return this.uploads.filter((upload) => upload.outcome === outcome).length
  }

  get files(): number {
    return this.uploads.reduce((sum, upload) => sum + filesOf(upload).length, 0)
  }

  async addMessages(user: TestUser, session: string, messages: readonly { files: readonly NewFile[] }[]) {
    const planned = messages.map(({ files }) => ({
      text: `message ${randomBytes(9).toString('hex')}`,
      files: files.map((file) => ({ ...file, field: randomBytes(6).toString('hex') })),
    }))
    const sent: SentMessages = {
      kind: 'messages',
      user,
      session,
      outcome: 'unknown',
      messages: planned.map(({ text, files }) => ({ text, files: files.map(describeFile) })),
      messageIds: [],
      attachmentIds: [],
    }
    this.uploads.push(sent)
    const body = planned.map(({ text, files }) => ({
      sender_id: user.id,
      role: 'user',
      content: [
        { type: 'text', text },
        ...files.map(({ field, kind, name }) => ({ type: kind, upload_id: field, name })),
      ],
    }))
    const answer = await this.#send(sent, 'add', () =>
      user.upload(
        '/memories/add/multipart',
        { session_id: session, messages: JSON.stringify(body) },
        planned.flatMap(({ files }) => files),
      ),
    )
    sent.messageIds = answer?.body.message_ids ?? []
    sent.attachmentIds = (answer?.body.attachments ?? []).map(({ attachment_id: id }: { attachment_id: string }) => id)
    return sent
  }

  async addResource(user: TestUser, file: NewFile): Promise<SentResource> {
    const title = `resource ${randomBytes(9).toString('hex')}`
    const sent: SentResource = { kind: 'resource', user, title, file: describeFile(file), outcome: 'unknown' }
    this.uploads.push(sent)
    const answer = await this.#send(sent, 'resource', () => user.addResource(file, { title }))
    sent.resourceId = answer?.body.resource_id
    return sent
  }

  async flush(user: TestUser, session: string): Promise<SentFlush> {
    const sent: SentFlush = { kind: 'flush', user, outcome: 'unknown' }
    this.flushes.push(sent)
    await this.#send(sent, 'flush', () => user.post('/memories/flush', { session_id: session }))
    return sent
  }

  deleteSession(user: TestUser, session: string): Promise<SentDeletion> {
    return this.#delete(user, session, `/sessions/${session}`)
  }

  deleteResource(user: TestUser, id: string): Promise<SentDeletion> {
    return this.#delete(user, id, `/resources/${id}`)
  }

  async eraseUser(user: TestUser): Promise<SentErasure> {
    const sent: SentErasure = { kind: 'erasure', user, outcome: 'unknown' }
    this.erasures.push(sent)
    await this.#send(sent, 'erase', () => user.delete(`/users/${user.id}`))
    return sent
  }

  async #delete(user: TestUser, target: string, path: string): Promise<SentDeletion> {
    const sent: SentDeletion = { kind: 'deletion', user, target, outcome: 'unknown' }
    this.deletions.push(sent)
    await this.#send(sent, 'delete', () => user.delete(path))
    return sent
  }

  /** The answer, if it was a 2xx. */
  async #send(sent: Sent, what: string, request: () => Promise<Answer>): Promise<Answer | undefined> {
    const answer = await request().catch(() => undefined)
    if (!answer) return undefined
    sent.outcome = answer.status < 300 ? 'acknowledged' : 'refused'
    if (sent.outcome === 'acknowledged') return answer
    const reason = `${what} ${answer.status} ${answer.body?.error?.code ?? ''}`
    this.refusals[reason] = (this.refusals[reason] ?? 0) + 1
    return undefined
  }
}

export function filesOf(upload: SentMessages | SentResource): readonly SentFile[] {
  return upload.kind === 'resource' ? [upload.file] : upload.messages.flatMap(({ files }) => files)
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function describeFile({ bytes }: { bytes: Uint8Array }): SentFile {
  return { size: bytes.length, sha256: hashOf(bytes) }
}

export type NewFile = Required<Pick<FilePart, 'name' | 'bytes'>> & { readonly kind: 'doc' | 'image' }

/** A file unlike any other: text, or, where reading text would take long, a picture with noise behind its end. */
export function newFile(size: number): NewFile {
  if (size > 8_000) {
    const noise = randomBytes(Math.max(size - picture.length, 16))
    return { kind: 'image', name: 'picture.png', bytes: Buffer.concat([picture, noise]) }
  }
  const text = randomBytes(size).toString('base64').slice(0, size)
  return { kind: 'doc', name: 'note.txt', bytes: Buffer.from(text) }
}

/** Mostly small; some are larger than what is kept in memory on the way in (256 KiB), a few are of some MB. */
export function randomSize(decisions: Decisions): number {
  const kind = decisions.next()
  if (kind < 0.5) return decisions.integer(1, 8_000)
  if (kind < 0.7) return decisions.integer(8_001, 262_144)
  if (kind < 0.93) return decisions.integer(262_145, 700_000)
  return decisions.integer(1_500_000, 4_000_000)
}
