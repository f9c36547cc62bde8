import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { customAlphabet } from 'nanoid'

const lowerCase = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 24)

type Prefix =
  | 'usr'
  | 'key'
  | 'scp'
  | 'ses'
  | 'bat'
  | 'msg'
  | 'att'
  | 'ext'
  | 'era'
  | 'acc'
  | 'evt'
  | 'req'
  | 'prj'
  | 'thr'
  | 'obs'

/** A random id that says what it names, e.g. `msg_…`; 124 bits. */
export function createId(prefix: Prefix): string {
  return `${prefix}_${lowerCase()}`
}

/** Id of a memory: a UUID, as the dialects show it. */
export function createMemoryId(): string {
  return randomUUID()
}

export function isMemoryId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

/** `r_` and 32 hex digits, the documented form. */
export function createResourceId(): string {
  return `r_${randomBytes(16).toString('hex')}`
}

export function resourceUri(externalUserId: string, resourceId: string): string {
  return `resource://${externalUserId}/${resourceId}`
}

/** A name in the backend. Says nothing of the caller; lower-case hex, since it becomes a path segment there. */
export function createUpstreamName(kind: 'p' | 'u' | 's'): string {
  return `${kind}_${randomBytes(16).toString('hex')}`
}

/** The name in the backend of a sender who is not the user; the same sender of a partition gets the same name. */
export function upstreamSenderName(upstreamProjectId: string, senderId: string): string {
  return `a_${createHash('sha256').update(`${upstreamProjectId}\n${senderId}`).digest('hex').slice(0, 32)}`
}

/** Public id of a backend's memory: stable, and without the backend's own names. */
export function memoryId(upstreamProjectId: string, upstreamMemoryId: string): string {
  return `mem_${createHash('sha256').update(`${upstreamProjectId}\n${upstreamMemoryId}`).digest('hex').slice(0, 32)}`
}

/**
 * Key of an object: random, spread over 256 folders, and nothing a caller sent. Not over more: on a disk of our own most objects would be the
 * first of their folder, which takes as long to make durable as the object.
 */
export function createObjectKey(): string {
  const name = randomBytes(20).toString('hex')
  return `${name.slice(0, 2)}/${name}`
}
