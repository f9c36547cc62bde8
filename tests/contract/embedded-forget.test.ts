import { setImmediate } from 'node:timers/promises'
import { eq, sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { deletePage } from '../../src/adapters/memory-backend/embedded/embeddings/forget-queries.ts'
import { emptyBuffer, insertMemories, takeBuffered } from '../../src/adapters/memory-backend/embedded/queries.ts'
import { type Database, inTransaction } from '../../src/db/database.ts'
import { engineEmbeddings, engineMemories, engineMessages } from '../../src/db/schema/index.ts'
import type { BackendMessage, BackendSession } from '../../src/ports/memory-backend.ts'
import { engineOfFile, newEngineSession } from '../helpers/embedded-engine.ts'
import { testDatabaseUrl } from '../helpers/test-database.ts'

const engine = engineOfFile()

function say(session: BackendSession, timestamp: number): BackendMessage {
  const items = [{ type: 'text', text: `Something about owls, for the ${timestamp}. time.` }] as const
  return { role: 'user', senderId: session.senderId, senderName: 'Ada', timestamp, items }
}

async function leftOf({ projectId }: BackendSession) {
  return [
    await engine.database.db.$count(engineMemories, eq(engineMemories.projectId, projectId)),
    await engine.database.db.$count(engineMessages, eq(engineMessages.projectId, projectId)),
  ]
}

/** Begins to forget the session while a transaction of others has written to it, which ends once it is waited for. */
async function forgetDuring(session: BackendSession, write: (tx: Database) => Promise<void>): Promise<void> {
  let forgotten: Promise<unknown> | undefined
  await inTransaction(engine.database.db, async (tx) => {
    await write(tx)
    forgotten = engine.backend.forget(session)
    const isWaiting = sql`exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')`
    for (;;) {
      const [row] = await engine.database.db
        .select({ isWaiting: sql<boolean>`${isWaiting}` })
        .from(sql`(select 1) as one`)
      if (row?.isWaiting) return
      await setImmediate()
    }
  })
  await forgotten
}

// With one connection nobody writes at the same time.
describe.skipIf(!testDatabaseUrl)('forgetting while others write', () => {
  it('leaves no memory that is made anew at this moment, and none behind it', async () => {
    const session = newEngineSession()
    const { projectId } = session
    for (let first = 1; first <= 600; first += 300)
      await engine.backend.add(
        session,
        Array.from({ length: 300 }, (_, index) => say(session, first + index)),
      )
    await forgetDuring(session, async (tx) => {
      await tx.update(engineMemories).set({ termsVersion: 2 }).where(sql`project_id = ${projectId} and "timestamp" = 1`)
    })
    expect(await leftOf(session)).toEqual([0, 0])
  })

  it('leaves no memory that is being made of what an older version buffered', async () => {
    const session = newEngineSession()
    await engine.database.db
      .insert(engineMessages)
      .values({ ...session, timestamp: 1, content: { speaker: 'Ada', parts: [{ text: 'Owls again.' }] } })
    const memory = {
      id: newEngineSession().sessionId,
      timestamp: 1,
      passage: 0,
      subject: '',
      body: 'Owls again.',
      length: 2,
      terms: "'owl'",
    }
    await forgetDuring(session, async (tx) => {
      expect(await takeBuffered(tx, session, 10)).toHaveLength(1)
      await insertMemories(tx, session, [memory])
      await emptyBuffer(tx, session, [1])
    })
    expect(await leftOf(session)).toEqual([0, 0])
  })

  it('leaves no vector of what two sessions say that are forgotten at once', async () => {
    const session = newEngineSession()
    const other = { ...session, sessionId: newEngineSession().sessionId }
    const { projectId, senderId } = session
    for (const each of [session, other]) await engine.backend.add(each, [say(each, 1)])
    const { db } = engine.database
    await db.update(engineMemories).set({ contentHash: 'owls' }).where(eq(engineMemories.projectId, projectId))
    await db.insert(engineEmbeddings).values({ projectId, senderId, model: 'm', contentHash: 'owls', embedding: [1] })
    await forgetDuring(session, async (tx) => {
      expect(await deletePage(tx, other, other.sessionId, 500)).toBe(1)
    })
    expect(await leftOf(session)).toEqual([0, 1])
    expect(await db.$count(engineEmbeddings, eq(engineEmbeddings.projectId, projectId))).toBe(0)
  })
})
