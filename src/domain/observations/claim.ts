import { randomUUID } from 'node:crypto'
import type { SystemContext } from '../context.ts'
import { createId } from '../ids.ts'
import type { ObservedThread } from './message-queries.ts'
import { claimRecord, extendClaim, insertFirstRecord, type RecordRow, releaseClaim, selectCurrent } from './queries.ts'

const LEASE_MS = 60_000
const HEARTBEAT_MS = 15_000

/** The claim is not held any more, or its thread is gone: nothing was written, and somebody else may be at it. */
export class ClaimLostError extends Error {
  override name = 'ClaimLostError'
}

/** The sole right to write a thread's observations, over all processes; given up when it is disposed of. */
export interface Claim extends AsyncDisposable {
  readonly token: string
  /** As it was when it was claimed. */
  readonly record: RecordRow
  /** Aborts when the claim is lost, or the job is to end. */
  readonly signal: AbortSignal
}

/** The thread's newest record, made if it has none. `held`: somebody else is at work on it; `gone`: there is no such thread any more. */
export async function claimThread(ctx: SystemContext, thread: ObservedThread): Promise<Claim | 'held' | 'gone'> {
  const { db } = ctx.services
  const current = (await selectCurrent(db, thread, thread.id)) ?? (await makeFirst(ctx, thread))
  if (!current) return 'gone'
  const token = randomUUID()
  const record = await claimRecord(db, current.record, token, LEASE_MS)
  if (!record) return 'held'
  const claim = hold(ctx, record, token)
  // Whoever held it may have made the next generation since it was looked for.
  const newest = await selectCurrent(db, thread, thread.id)
  if (newest?.record.id === record.id) return claim
  await claim[Symbol.asyncDispose]()
  return newest ? 'held' : 'gone'
}

async function makeFirst({ services: { db } }: SystemContext, thread: ObservedThread) {
  await insertFirstRecord(db, thread, thread.id, createId('obs'))
  return selectCurrent(db, thread, thread.id)
}

function hold(ctx: SystemContext, record: RecordRow, token: string): Claim {
  const { db } = ctx.services
  const lost = new AbortController()
  let heldSince = Date.now()
  const heartbeat = setInterval(() => {
    const beganAt = Date.now()
    if (beganAt - heldSince > LEASE_MS) lost.abort(new ClaimLostError('The claim on the thread ran out.'))
    extendClaim(db, record, token, LEASE_MS).then(
      (isHeld) => {
        if (isHeld) heldSince = beganAt
        else lost.abort(new ClaimLostError('The claim on the thread was lost.'))
      },
      (error: unknown) => ctx.log.warn({ err: error, threadId: record.threadId }, 'claim on a thread not extended'),
    )
  }, HEARTBEAT_MS)
  return {
    token,
    record,
    signal: AbortSignal.any([ctx.signal, lost.signal]),
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat)
      await releaseClaim(db, record, token)
    },
  }
}
