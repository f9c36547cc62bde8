import { setImmediate } from 'node:timers/promises'
import { type Database, inTransaction } from '../../../db/database.ts'
import { composeMemories } from './compose-memories.ts'
import { type EngineSession, insertMemories, markExtracted, type NewMemory, takeBuffered } from './queries.ts'

/** Small pages, and a turn for others between them: on PGlite, statements hold up the whole process. */
const MESSAGES_PER_PAGE = 10
const MEMORIES_PER_PAGE = 10

/** Turns what the session has buffered into memories, all or nothing. Returns how many messages there were. */
export function extractMemories(db: Database, session: EngineSession): Promise<number> {
  return inTransaction(db, async (tx) => {
    let extracted = 0
    for (;;) {
      const messages = await takeBuffered(tx, session, MESSAGES_PER_PAGE)
      if (messages.length === 0) return extracted
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
      await markExtracted(
        tx,
        session,
        messages.map(({ timestamp }) => timestamp),
      )
      extracted += messages.length
      await setImmediate()
    }
  })
}
