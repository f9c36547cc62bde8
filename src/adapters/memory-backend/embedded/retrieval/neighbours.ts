import type { FoundMemory } from './queries.ts'

/** Messages before and after one that say what it is about. */
export const REACH = 3

/** A memory of a message nearby. */
export interface Neighbour {
  readonly memory: FoundMemory
  /** Messages from it to the one that it stands beside: negative before, positive after. */
  readonly distance: number
}

interface Message {
  readonly sessionId: string
  readonly timestamp: number
  readonly first: FoundMemory
}

const nameOf = ({ sessionId, timestamp }: FoundMemory): string => `${timestamp} ${sessionId}`

function messagesOf(memories: readonly FoundMemory[]): Message[] {
  const first = new Map<string, FoundMemory>()
  for (const memory of memories) {
    if (memory.kind === 'fact') continue
    const known = first.get(nameOf(memory))
    if (!known || memory.passage < known.passage) first.set(nameOf(memory), memory)
  }
  return Array.from(first.values(), (memory) => ({
    sessionId: memory.sessionId,
    timestamp: memory.timestamp,
    first: memory,
  })).sort((a, b) => (a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : a.timestamp - b.timestamp))
}

/**
 * For each memory those around it, by id. `memories` holds all messages within `REACH` of each of `centres`: only there is it known
 * that no message is missing between two of them. What is not around any centre has no neighbours.
 */
export function arrangeNeighbours(
  memories: readonly FoundMemory[],
  centres: readonly FoundMemory[],
): Map<string, readonly Neighbour[]> {
  const messages = messagesOf(memories)
  const around = new Set(centres.map(nameOf))
  const joined = Array.from(messages, () => false)
  for (const [index, { first }] of messages.entries()) {
    if (!around.has(nameOf(first))) continue
    const start = Math.max(0, index - REACH)
    for (let at = start; at < Math.min(messages.length - 1, index + REACH); at++) {
      joined[at] ||= messages[at]?.sessionId === messages[at + 1]?.sessionId
    }
  }
  const byMessage = new Map<string, readonly Neighbour[]>()
  for (const [index, { first }] of messages.entries()) {
    const neighbours: Neighbour[] = []
    for (const step of [-1, 1]) {
      for (let distance = 1; distance <= REACH; distance++) {
        const at = index + step * distance
        const memory = messages[at]?.first
        if (!memory || !joined[step < 0 ? at : at - 1]) break
        neighbours.push({ memory, distance: step * distance })
      }
    }
    byMessage.set(nameOf(first), neighbours)
  }
  return new Map(
    memories.map((memory) => [memory.id, memory.kind === 'fact' ? [] : (byMessage.get(nameOf(memory)) ?? [])]),
  )
}
