import { and, asc, count, desc, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { stateItems as items } from '../../db/schema/state-items.ts'
import type { Owner } from '../context.ts'
import { textArray, wordSimilarity } from '../memories/similarity-queries.ts'
import { idUnlessErased } from '../users/queries.ts'
import type { StatePlace } from './schemas.ts'

export type StateRow = Omit<typeof items.$inferSelect, 'userId' | 'terms' | 'wordCount' | 'metadata'>
export type FoundState = StateRow & { readonly score: number }

const columns = {
  id: items.id,
  source: items.source,
  namespace: items.namespace,
  key: items.key,
  value: items.value,
  text: items.text,
  createdAt: items.createdAt,
  updatedAt: items.updatedAt,
}

/** Values of one source, whose namespaces begin with the prefix. */
export interface StateArea {
  readonly source: string
  readonly prefix: readonly string[]
}

function atPlace(owner: Owner, { source, namespace, key }: StatePlace): SQL | undefined {
  return and(
    eq(items.userId, owner.userId),
    eq(items.source, source),
    sql`${items.namespace} = ${textArray(namespace)}`,
    eq(items.key, key),
  )
}

function inArea(owner: Owner, { source, prefix }: StateArea): SQL | undefined {
  return and(
    eq(items.userId, owner.userId),
    eq(items.source, source),
    prefix.length > 0 ? sql`${items.namespace}[1:${prefix.length}::int] = ${textArray(prefix)}` : undefined,
  )
}

/** Those who put a value under one key come one after the other. Until the transaction ends. */
export async function lockPlace(tx: Database, owner: Owner, { source, namespace, key }: StatePlace): Promise<void> {
  const name = JSON.stringify(['state', owner.userId, source, namespace, key])
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`)
}

export async function findState(db: Database, owner: Owner, place: StatePlace): Promise<StateRow | undefined> {
  const [row] = await db.select(columns).from(items).where(atPlace(owner, place))
  return row
}

/** An id that no value has or will have but the one that is inserted with it. */
export async function reserveStateId(db: Database): Promise<number> {
  const next = sql<number>`nextval(pg_get_serial_sequence('state_items', 'id'))`.mapWith(Number)
  const [row] = await db.select({ id: next }).from(sql`generate_series(1, 1)`)
  if (!row) throw new Error('The sequence gave no id.')
  return row.id
}

type Content = Pick<typeof items.$inferInsert, 'value' | 'text' | 'terms' | 'wordCount' | 'metadata'>

/** Inserts the value, or has it take the place of the one under its key. */
export async function upsertState(
  tx: Database,
  owner: Owner,
  id: number,
  place: StatePlace,
  content: Content,
): Promise<StateRow> {
  const at = sql`clock_timestamp()`
  const [row] = await tx
    .insert(items)
    .overridingSystemValue()
    .values({ ...place, ...content, id, userId: idUnlessErased(owner), createdAt: at, updatedAt: at })
    .onConflictDoUpdate({
      target: [items.userId, items.source, items.namespace, items.key],
      set: { ...content, updatedAt: at },
    })
    .returning(columns)
  if (!row) throw new Error('The value was neither inserted nor replaced.')
  return row
}

/** How many values there are, and how many bytes those of the page have. */
export async function measureState(
  db: Database,
  owner: Owner,
  area: StateArea,
  page: { limit: number; offset: number },
): Promise<{ total: number; bytes: number }> {
  const size = sql<number>`octet_length(${items.value}::text) + octet_length(${items.text})`
  const selected = db
    .select({ size: size.as('size') })
    .from(items)
    .where(inArea(owner, area))
    .orderBy(desc(items.updatedAt), desc(items.id))
    .limit(page.limit)
    .offset(page.offset)
    .as('selected')
  const [measured] = await db
    .select({ bytes: sql<number>`coalesce(sum(${selected.size}), 0)`.mapWith(Number) })
    .from(selected)
  return { total: await countState(db, owner, area), bytes: measured?.bytes ?? 0 }
}

export function countState(db: Database, owner: Owner, area: StateArea): Promise<number> {
  return db.$count(items, inArea(owner, area))
}

/** Newest first. */
export function selectState(
  db: Database,
  owner: Owner,
  area: StateArea,
  page: { limit: number; offset: number },
): Promise<StateRow[]> {
  return db
    .select(columns)
    .from(items)
    .where(inArea(owner, area))
    .orderBy(desc(items.updatedAt), desc(items.id))
    .limit(page.limit)
    .offset(page.offset)
}

/** All of the area, the most similar first, then the newest. */
export function rankState(
  db: Database,
  owner: Owner,
  area: StateArea,
  words: readonly string[],
  limit: number,
): Promise<FoundState[]> {
  const score = wordSimilarity(items, words)
  return db
    .select({ ...columns, score })
    .from(items)
    .where(inArea(owner, area))
    .orderBy(desc(score), desc(items.updatedAt), desc(items.id))
    .limit(limit)
}

export interface StateToDelete {
  readonly source: string
  readonly namespace: readonly string[]
  /** Without them all of the namespace. */
  readonly keys?: readonly string[] | undefined
}

/** The ids of some of those that are there. */
export async function deleteSomeState(
  tx: Database,
  owner: Owner,
  { source, namespace, keys }: StateToDelete,
  limit: number,
): Promise<number[]> {
  const some = tx
    .select({ id: items.id })
    .from(items)
    .where(
      and(
        eq(items.userId, owner.userId),
        eq(items.source, source),
        sql`${items.namespace} = ${textArray(namespace)}`,
        keys && inArray(items.key, [...keys]),
      ),
    )
    .orderBy(asc(items.id))
    .limit(limit)
    .for('update')
  const rows = await tx.delete(items).where(inArray(items.id, some)).returning({ id: items.id })
  return rows.map(({ id }) => id).toSorted((one, other) => one - other)
}

/** Those that hold a value, each once, cut to the depth, in their order. */
export async function selectNamespaces(
  db: Database,
  owner: Owner,
  area: StateArea,
  page: { maxDepth: number | undefined; limit: number; offset: number },
): Promise<{ namespaces: string[][]; total: number }> {
  const cut =
    page.maxDepth === undefined
      ? sql<string[]>`${items.namespace}`
      : sql<string[]>`${items.namespace}[1:${page.maxDepth}::int]`
  const distinct = db
    .selectDistinct({ namespace: cut.mapWith(items.namespace).as('namespace') })
    .from(items)
    .where(inArea(owner, area))
    .as('distinct_namespaces')
  const rows = await db
    .select({ namespace: distinct.namespace })
    .from(distinct)
    .orderBy(asc(distinct.namespace))
    .limit(page.limit)
    .offset(page.offset)
  const [counted] = await db.select({ total: count() }).from(distinct)
  return { namespaces: rows.map(({ namespace }) => namespace), total: counted?.total ?? 0 }
}
