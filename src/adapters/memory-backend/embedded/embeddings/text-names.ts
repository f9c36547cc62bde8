import { sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import type { EngineSession, NewMemory } from '../queries.ts'
import { contentHash, embeddedText, type TurnBefore } from './embedded-text.ts'
import { rowsOf } from './rows.ts'

/** The same memory with the name of its text. */
export type NameText = (memory: NewMemory) => NewMemory

/** Names the texts of memories that are about to be kept, in the order of their timestamps. */
export class TextNames {
  readonly #before: TurnBefore | undefined
  readonly #given = new Set<string>()

  constructor(before: TurnBefore | undefined) {
    this.#before = before
  }

  get given(): readonly string[] {
    return [...this.#given]
  }

  /** A run through the memories, from the first. */
  begin(): NameText {
    let before = this.#before
    let latest: { timestamp: number; turn: TurnBefore } | undefined
    return (memory) => {
      const { kind = 'turn', speaker = '', subject, body, timestamp } = memory
      if (latest && latest.timestamp < timestamp) before = latest.turn
      if (kind === 'turn') latest = { timestamp, turn: { speaker, body } }
      const hash = contentHash(embeddedText({ kind, speaker, subject, body }, before))
      this.#given.add(hash)
      return { ...memory, contentHash: hash }
    }
  }
}

/** What was said last in a session before `timestamp`. */
export async function lastTurnBefore(
  db: Database,
  { projectId, senderId, sessionId }: EngineSession,
  timestamp: number,
): Promise<TurnBefore | undefined> {
  const [turn] = await rowsOf<TurnBefore>(
    db,
    sql`select speaker, body from engine_memories
      where project_id = ${projectId} and sender_id = ${senderId} and session_id = ${sessionId}
        and "timestamp" < ${timestamp} and kind = 'turn'
      order by "timestamp" desc, passage desc limit 1`,
  )
  return turn
}
