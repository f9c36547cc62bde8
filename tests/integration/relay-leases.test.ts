import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, inTransaction } from '../../src/db/database.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { finishBatch } from '../../src/domain/relay/advance-queries.ts'
import { type ClaimedSession, claimSession, releaseSession } from '../../src/domain/relay/lease-queries.ts'
import { insertBatch } from '../../src/domain/relay/queries.ts'
import { createUser, type TestUser } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
let user: TestUser
beforeAll(async () => {
  gateway = await startGateway()
  user = await createUser(gateway.url)
})
afterAll(() => gateway.close())

const LEASE_MS = 60_000
let claimed: ClaimedSession
let count = 0

/** A session with one batch at work, claimed. */
beforeEach(async () => {
  const { db } = gateway.services
  const name = `chat:lease-${count++}`
  await user.addMessage(name, 'Hello.')
  const [row] = await db.select().from(sessions).where(eq(sessions.externalId, name))
  const session = await claimSession(db, row?.id ?? '', `token-${count}`, LEASE_MS)
  if (typeof session === 'string') throw new Error(`The session is ${session}.`)
  claimed = session
  await open('at work', 'relaying', 2)
})

async function open(name: string, state: 'stored' | 'relaying', position: number): Promise<void> {
  const batch = { id: `${claimed.id} ${name}`, action: 'add' as const, state, sessionId: claimed.id, position }
  await insertBatch(gateway.services.db, { userId: claimed.userId }, batch)
}

const mark = (attempts = 0) => ({ id: `${claimed.id} at work`, state: 'relaying' as const, attempts })

async function states() {
  const { db } = gateway.services
  const [batch] = await db.select().from(batches).where(eq(batches.id, mark().id))
  const [session] = await db.select().from(sessions).where(eq(sessions.id, claimed.id))
  return { batch: batch?.state, requestId: batch?.upstreamRequestId, holder: session?.relayToken ?? null }
}

describe('the end of a batch', () => {
  it('gives the session back with it, if it was the last', async () => {
    expect(await finishBatch(gateway.services.db, claimed, mark(), 'req_1')).toEqual({ isReleased: true })
    expect(await states()).toEqual({ batch: 'relayed', requestId: 'req_1', holder: null })
  })

  it('keeps the session while another batch waits', async () => {
    await open('next', 'stored', 3)
    expect(await finishBatch(gateway.services.db, claimed, mark(), 'req_1')).toEqual({ isReleased: false })
    expect(await states()).toEqual({ batch: 'relayed', requestId: 'req_1', holder: claimed.token })
  })

  it('keeps a session that another process has claimed meanwhile', async () => {
    const { db } = gateway.services
    await db.update(sessions).set({ relayToken: 'another' }).where(eq(sessions.id, claimed.id))
    expect(await finishBatch(db, claimed, mark(), 'req_1')).toEqual({ isReleased: false })
    expect(await states()).toEqual({ batch: 'relayed', requestId: 'req_1', holder: 'another' })
  })

  it('changes nothing if another process was at the batch', async () => {
    expect(await finishBatch(gateway.services.db, claimed, mark(1), 'req_1')).toBe('gone')
    expect(await states()).toEqual({ batch: 'relaying', requestId: null, holder: claimed.token })
  })
})

describe('a commit that does not wait for the disk', () => {
  const waits = async (db: Database) => {
    const rows = await db.execute(sql`select current_setting('synchronous_commit') as waits`)
    return (Array.isArray(rows) ? rows : (rows as unknown as { rows: unknown[] }).rows)[0]
  }

  it.each([
    ['claims', (tx: Database) => claimSession(tx, claimed.id, 'token', LEASE_MS)],
    ['releases', (tx: Database) => releaseSession(tx, claimed.id, claimed.token)],
    ['ends a batch', (tx: Database) => finishBatch(tx, claimed, mark(), 'req_1')],
  ])('is that which %s, and no other after it', async (does, work) => {
    const { db } = gateway.services
    if (does === 'claims') await releaseSession(db, claimed.id, claimed.token)
    await inTransaction(db, async (tx) => {
      expect(await waits(tx)).toEqual({ waits: 'on' })
      await work(tx)
      expect(await waits(tx)).toEqual({ waits: 'off' })
    })
    expect(await waits(db)).toEqual({ waits: 'on' })
  })
})
