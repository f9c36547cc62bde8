import { randomBytes } from 'node:crypto'

/** What facts are drawn from: turns of a transcript, or values of the state. */
export type FactSourceKind = 'turn' | 'state'

/** A fact names so many of the turns that say it; `clientRef` has room for no more. */
const MOST_SOURCES = 5

/**
 * The `clientRef` of a memory that was drawn from something: unlike metadata it never changes, so that the memory goes with its source
 * whatever was edited meanwhile. Each is new: `fact:turn:12,14:…`.
 */
export function factRef(kind: FactSourceKind, sourceIds: readonly number[]): string {
  return `${refOf(kind)}${sourceIds.slice(0, MOST_SOURCES).join(',')}:${randomBytes(12).toString('hex')}`
}

export function refOf(kind: FactSourceKind): string {
  return `fact:${kind}:`
}
