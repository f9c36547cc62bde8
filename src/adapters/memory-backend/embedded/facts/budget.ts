import { and, eq, lt, sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import { engineModelUse } from '../../../../db/schema/index.ts'

export interface Tokens {
  readonly input: number
  readonly output: number
}

/** Whose tokens they are. */
export interface Spender {
  readonly ownerId: string
}

/** Tokens that a call will take are counted before it, and put right after it: so the bound also holds for calls at the same time, and after a crash. */
export interface Reservation extends Spender {
  /** UTC. */
  readonly day: string
  readonly tokens: number
}

const KEPT_DAYS = 60
const today = sql<string>`(now() at time zone 'utc')::date`

/** Undefined if the user has no `tokens` left of `perDay` today; the first call of a day goes through at any size. */
export async function reserveTokens(
  db: Database,
  { ownerId }: Spender,
  tokens: number,
  perDay: number,
): Promise<Reservation | undefined> {
  if (perDay <= 0) return undefined
  const spent = sql`${engineModelUse.inputTokens} + ${engineModelUse.outputTokens}`
  const [row] = await db
    .insert(engineModelUse)
    .values({ ownerId, day: today, calls: 1, inputTokens: tokens })
    .onConflictDoUpdate({
      target: [engineModelUse.ownerId, engineModelUse.day],
      set: {
        calls: sql`${engineModelUse.calls} + 1`,
        inputTokens: sql`${engineModelUse.inputTokens} + excluded.input_tokens`,
      },
      setWhere: sql`${spent} = 0 or ${spent} + excluded.input_tokens <= ${perDay}`,
    })
    .returning({ day: engineModelUse.day })
  return row && { ownerId, day: row.day, tokens }
}

/** Puts what was really used in the place of what was reserved. */
export async function settleTokens(db: Database, reservation: Reservation, used: Tokens): Promise<void> {
  const { ownerId, day, tokens } = reservation
  await db
    .update(engineModelUse)
    .set({
      inputTokens: sql`greatest(0, ${engineModelUse.inputTokens} + ${used.input - tokens}::bigint)`,
      outputTokens: sql`${engineModelUse.outputTokens} + ${used.output}::bigint`,
    })
    .where(and(eq(engineModelUse.ownerId, ownerId), eq(engineModelUse.day, day)))
}

/** System scope: what was used long ago is of no interest any more. */
export async function deleteOldUse(db: Database): Promise<void> {
  await db.delete(engineModelUse).where(lt(engineModelUse.day, sql`${today} - ${KEPT_DAYS}::int`))
}

/** Some minutes after the next day (UTC) has begun; not all users in the same moment. */
export function tomorrow(now = Date.now()): Date {
  const day = 86_400_000
  return new Date((Math.floor(now / day) + 1) * day + Math.floor(Math.random() * 600_000))
}
