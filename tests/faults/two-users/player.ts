import { randomBytes } from 'node:crypto'
import type { EverosFault } from '../../helpers/fake-everos.ts'
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
  /** What happens to the calls that the backend gets for them, in turn. */
  plan: readonly (EverosFault | undefined)[] = []
  #planned = 0
  hadFaults = false
  #minted = 0

  constructor(letter: string) {
    this.mark = createMark(letter)
    this.id = `user.${randomBytes(8).toString('hex')}`
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

  liveResources(space?: number): StoredResource[] {
    return this.resources.filter((row) => !row.isDeleted && (space === undefined || row.space === space))
  }
}

export function sessionKey(space: number, session: string): string {
  return `${space} ${session}`
}
