import { and, eq, gte, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { apiKeys } from '../../db/schema/api-keys.ts'
import { memories } from '../../db/schema/memories.ts'
import { usageCounters } from '../../db/schema/usage-counters.ts'
import type { Cursor } from '../cursor.ts'
import { isVisible } from '../memories/queries.ts'
import type { Counter } from './usage-ledger.ts'

/** So many counters go in one statement. */
const AT_ONCE = 1_000

const key = (table: string) => sql.raw(`${table}.subject, ${table}.metric, ${table}.period, ${table}.starts_at`)
const same = (one: string, other: string) =>
  sql.raw(
    ['subject', 'metric', 'period', 'starts_at'].map((column) => `${one}.${column} = ${other}.${column}`).join(' and '),
  )

/** Counters as one JSON text, which both drivers bind alike. */
function asRows(text: unknown, more: string): SQL {
  return sql`json_to_recordset(${text}::text::json) as w(subject text, metric text, period text, starts_at timestamptz, ${sql.raw(more)})`
}

const toJson = (rows: readonly (Counter & object)[]) =>
  JSON.stringify(rows.map(({ startsAt, ...row }) => ({ ...row, starts_at: startsAt.toISOString() })))

/** Adds to counters, in the order of their key: two that do so at once wait for each other, and never in a circle. */
export async function addToCounters(db: Database, uses: readonly (Counter & { count: number })[]): Promise<void> {
  for (let at = 0; at < uses.length; at += AT_ONCE) {
    await db.execute(sql`
      insert into usage_counters as c (subject, metric, period, starts_at, count)
      select ${key('w')}, w.count from ${asRows(toJson(uses.slice(at, at + AT_ONCE)), 'count bigint')} order by ${key('w')}
      on conflict (subject, metric, period, starts_at) do update set count = c.count + excluded.count`)
  }
}

/** A use that is to be counted if its counter stands at `most` at most. */
export interface BoundedUse extends Counter {
  readonly count: number
  readonly most: number
}

/**
 * Locks the counters in the order of their key, looks whether all of them have room, and then adds to all of them, or to none. The rows
 * are read as they are once they are locked, also where another transaction has just changed them.
 */
const countIfAllFit = preparedOn((db) => {
  const wanted = db
    .$with('wanted', { subject: sql`subject` })
    .as(sql`select * from ${asRows(sql.placeholder('uses'), 'count bigint, most bigint')}`)
  const locked = db
    .$with('locked', { subject: sql`subject` })
    .as(
      sql`select ${key('c')}, c.count from usage_counters c join wanted w on ${same('c', 'w')} order by ${key('c')} for update of c`,
    )
  const verdict = db.$with('verdict', { fits: sql`fits` }).as(
    sql`select count(*) = (select count(*) from wanted) as is_complete, coalesce(bool_and(l.count <= w.most), false) as fits
      from locked l join wanted w on ${same('l', 'w')}`,
  )
  const counted = db.$with('counted', { subject: sql`subject` }).as(
    sql`update usage_counters c set count = c.count + w.count from wanted w, verdict v
      where ${same('c', 'w')} and v.is_complete and v.fits and w.count > 0 returning c.subject`,
  )
  return db
    .with(wanted, locked, verdict, counted)
    .select({
      subject: sql<string>`l.subject`,
      metric: sql<string>`l.metric`,
      period: sql<string>`l.period`,
      count: sql<number>`l.count`.mapWith(Number),
      isComplete: sql<boolean>`v.is_complete`,
      fits: sql<boolean>`v.fits`,
    })
    .from(sql`locked l, verdict v`)
    .prepare('count_if_all_fit')
})

export interface CountedUses {
  /** False: nothing was counted. */
  readonly fits: boolean
  /** How the counters stood before, in the order of `uses`. */
  readonly before: readonly number[]
}

/** Counts all uses, or none if one is beyond its bound. Exact, whoever counts at the same time. */
export async function countWithin(db: Database, uses: readonly BoundedUse[]): Promise<CountedUses> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const rows = await countIfAllFit(db).execute({ uses: toJson(uses) })
    const [first] = rows
    if (first?.isComplete) {
      const counts = new Map(rows.map((row) => [`${row.subject} ${row.metric} ${row.period}`, row.count]))
      const before = uses.map(({ subject, metric, period }) => counts.get(`${subject} ${metric} ${period}`) ?? 0)
      return { fits: first.fits, before }
    }
    // A new period: its rows have to be there before they can be locked.
    await addToCounters(
      db,
      uses.map((use) => ({ ...use, count: 0 })),
    )
  }
  throw new Error('The counters are not there, though they were made.')
}

/** One at a time adds to the memories of an account, until its transaction ends. */
export async function lockRoom(tx: Database, accountId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`room:${accountId}`}, 0))`)
}

/** The last number that a memory of any account was given, also by a transaction that has not ended yet; 0 before the first. */
export async function newestMemoryNumber(tx: Database): Promise<number> {
  const [row] = await tx
    .select({ last: sql<number>`case when is_called then last_value else 0 end`.mapWith(Number) })
    .from(sql`memories_number_seq`)
  if (!row) throw new Error('The sequence of the memories is not there.')
  return row.last
}

/** The account's memories that are neither archived nor expired, counted up to `limit`. */
export function countVisible(db: Database, accountId: string, limit?: number): Promise<number> {
  const some = db
    .select({ id: memories.id })
    .from(memories)
    .where(and(eq(memories.accountId, accountId), isVisible))
  return db.$count(limit === undefined ? some.as('visible') : some.limit(limit).as('visible'))
}

/** What an account, or one of its keys, has used in the periods that begin at these times. */
export function selectCounters(
  db: Database,
  subjects: readonly string[],
  periods: readonly Pick<Counter, 'period' | 'startsAt'>[],
) {
  return db
    .select()
    .from(usageCounters)
    .where(
      and(
        inArray(usageCounters.subject, [...subjects]),
        or(
          ...periods.map(({ period, startsAt }) =>
            and(eq(usageCounters.period, period), eq(usageCounters.startsAt, startsAt)),
          ),
        ),
      ),
    )
}

/** By day and key, earliest first: days from `from` to before `until` on which the account's keys were used. */
export function selectDays(
  db: Database,
  account: { accountId: string; projectId?: string },
  range: { from: Date; until: Date },
  page: { cursor: Cursor | undefined; limit: number },
) {
  const { startsAt, subject, metric, count } = usageCounters
  const sumOf = (name: string) =>
    sql<number>`coalesce(sum(${count}) filter (where ${metric} = ${name}), 0)`.mapWith(Number)
  const cursorDate = page.cursor && new Date(page.cursor.sort)
  return db
    .select({
      startsAt,
      keyId: subject,
      requests: sumOf('requests'),
      adds: sumOf('adds'),
      searches: sumOf('searches'),
      tokens: sumOf('tokens'),
    })
    .from(usageCounters)
    .innerJoin(apiKeys, eq(apiKeys.id, subject))
    .where(
      and(
        eq(apiKeys.accountId, account.accountId),
        account.projectId === undefined ? undefined : eq(apiKeys.projectId, account.projectId),
        eq(usageCounters.period, 'day'),
        gte(startsAt, range.from),
        lt(startsAt, range.until),
        cursorDate && sql`(${startsAt}, ${subject}) > (${cursorDate.toISOString()}::timestamptz, ${page.cursor?.id})`,
      ),
    )
    .groupBy(startsAt, subject)
    .orderBy(startsAt, subject)
    .limit(page.limit)
}

/** System scope: the counters of minutes that are long over. Of a gateway that stood still for longer than a month some may be left. */
export async function deleteOldMinutes(db: Database): Promise<void> {
  await db
    .delete(usageCounters)
    .where(
      and(
        eq(usageCounters.period, 'minute'),
        lt(usageCounters.startsAt, sql`now() - interval '10 minutes'`),
        gte(usageCounters.startsAt, sql`now() - interval '31 days'`),
      ),
    )
}

/** System scope: the plans that accounts, and keys that are not revoked, are under. */
export async function selectPlanNames(db: Database): Promise<string[]> {
  const ofAccounts = await db.selectDistinct({ plan: accounts.plan }).from(accounts)
  const ofKeys = await db.selectDistinct({ plan: apiKeys.plan }).from(apiKeys).where(isNull(apiKeys.revokedAt))
  return [...new Set([...ofAccounts, ...ofKeys].flatMap(({ plan }) => plan ?? []))]
}

/** What an account, or one of its keys, has used in all months. */
export async function sumOfMonths(db: Database, subject: string, metric: string): Promise<number> {
  const [row] = await db
    .select({ sum: sql<number>`coalesce(sum(${usageCounters.count}), 0)`.mapWith(Number) })
    .from(usageCounters)
    .where(and(eq(usageCounters.subject, subject), eq(usageCounters.metric, metric), eq(usageCounters.period, 'month')))
  return row?.sum ?? 0
}
