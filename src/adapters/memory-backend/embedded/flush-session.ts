import { setImmediate } from 'node:timers/promises'
import { type Database, inTransaction } from '../../../db/database.ts'
import type { BackgroundProgress } from '../../../ports/memory-backend.ts'
import { composeMemories } from './compose-memories.ts'
import type { EngineSession, FactsOfFlush } from './queries.ts'
import {
  anyBufferedSessions,
  emptyBuffer,
  flushThrough,
  insertMemories,
  type NewMemory,
  takeBuffered,
} from './queries.ts'

/** Small pages, and a turn for others between them: on PGlite, statements hold up the whole process. */
const MESSAGES_PER_PAGE = 10
const MEMORIES_PER_PAGE = 10
const SESSIONS_AT_ONCE = 20

/** Nothing of the session is pending afterwards; what was may be due for facts to be drawn from it. Returns whether something was. */
export async function flushSession(db: Database, session: EngineSession, facts: FactsOfFlush): Promise<boolean> {
  const { hasMoved, hasBuffer } = await flushThrough(db, session, facts)
  if (!hasBuffer) return hasMoved
  return (await composeBuffer(db, session)) > 0 || hasMoved
}

/** Makes memories of what an older version buffered in some sessions, of whomever: it kept messages until they were flushed. */
export async function composeBuffers(db: Database, signal?: AbortSignal): Promise<BackgroundProgress> {
  const sessions = await anyBufferedSessions(db, SESSIONS_AT_ONCE)
  for (const session of sessions) {
    signal?.throwIfAborted()
    await composeBuffer(db, session)
  }
  return sessions.length < SESSIONS_AT_ONCE ? { remaining: 0 } : { remaining: 1, againInMs: 0 }
}

/** All or nothing. Returns how many messages there were. */
function composeBuffer(db: Database, session: EngineSession): Promise<number> {
  return inTransaction(db, async (tx) => {
    let composed = 0
    for (;;) {
      const messages = await takeBuffered(tx, session, MESSAGES_PER_PAGE)
      if (messages.length === 0) return composed
      let page: NewMemory[] = []
      for (const { timestamp, content } of messages) {
        for (const memory of composeMemories(session, timestamp, content)) {
          if (page.push(memory) < MEMORIES_PER_PAGE) continue
          await insertMemories(tx, session, page)
          await setImmediate()
          page = []
        }
      }
      if (page.length > 0) await insertMemories(tx, session, page)
      await emptyBuffer(
        tx,
        session,
        messages.map(({ timestamp }) => timestamp),
      )
      composed += messages.length
      await setImmediate()
    }
  })
}
