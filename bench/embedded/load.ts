import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { type Column, getTableColumns } from 'drizzle-orm'
import postgres, { type Sql } from 'postgres'
import { composeMemories } from '../../src/adapters/memory-backend/embedded/compose-memories.ts'
import { migratePglite, migratePostgres } from '../../src/db/migrate.ts'
import { openPglite } from '../../src/db/pglite.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { PlaceOf } from './place.ts'
import { turnOf } from './texts.ts'

// Fills a database with memories as the engine composes them. Adding a million through the engine itself would take too long: rows go in by COPY, and indexes are made afterwards.

/** So many memories, of so many users. */
export interface Spread {
  readonly memories: number
  readonly users: number
}

export interface Owner {
  readonly projectId: string
  readonly senderId: string
}

/** Bytes, and what a memory takes of them all. */
export interface Sizes {
  readonly relations: Readonly<Record<string, number>>
  readonly rows: number
}

const PAGE_LENGTH = 1 << 20
/** For the references: the texts again, as a first search with PostgreSQL's own means would keep them. */
const PLAIN_TABLE = `create table plain (id text primary key, owner text not null, body text not null,
  words tsvector not null generated always as (to_tsvector('english', body)) stored)`
const PLAIN_INDEX = 'create index plain_words_idx on plain using gin (words)'

const columns = Object.entries(getTableColumns(engineMemories)) as [string, Column][]
const COPY_COLUMNS = columns.map(([, { name }]) => `"${name}"`).join(', ')

export function ownerOf(user: number): Owner {
  return { projectId: `p_bench_project_of_user_${user}`, senderId: `u_bench_sender_of_user_${user}` }
}

/** Runs one statement, and gives its rows. */
type Run = (statement: string) => Promise<Record<string, unknown>[]>

export async function fillPlace(where: PlaceOf, spread: Spread): Promise<Sizes> {
  return where.kind === 'postgres' ? fillPostgres(where.url, spread) : fillPglite(where.dataDir, spread)
}

async function fillPostgres(url: string, spread: Spread): Promise<Sizes> {
  await migratePostgres(url)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(`set maintenance_work_mem = '256MB'`)
    await sql.unsafe('set synchronous_commit = off')
    return await fill(
      (statement) => sql.unsafe(statement),
      () => copyInto(sql, spread),
    )
  } finally {
    await sql.end()
  }
}

async function copyInto(sql: Sql, spread: Spread): Promise<void> {
  const copy = await sql.unsafe(`copy engine_memories (${COPY_COLUMNS}) from stdin`).writable()
  for (const page of copyPages(spread)) if (!copy.write(page)) await once(copy, 'drain')
  copy.end()
  await finished(copy)
}

async function fillPglite(dataDir: string, spread: Spread): Promise<Sizes> {
  const { client, close } = await openPglite({ dataDir })
  try {
    await migratePglite(client)
    return await fill(
      async (statement) => (await client.query<Record<string, unknown>>(statement)).rows,
      async () => {
        for (const page of copyPages(spread)) {
          await client.query(`copy engine_memories (${COPY_COLUMNS}) from '/dev/blob'`, [], { blob: new Blob([page]) })
        }
      },
    )
  } finally {
    await close()
  }
}

/** Fills the tables by `copy`, without indexes meanwhile. */
async function fill(run: Run, copy: () => Promise<void>): Promise<Sizes> {
  const indexes = await run(`select indexname, indexdef from pg_indexes where tablename = 'engine_memories'
    and indexname not in (select conname from pg_constraint)`)
  for (const { indexname } of indexes) await run(`drop index ${String(indexname)}`)
  await copy()
  await run(PLAIN_TABLE)
  await run('insert into plain (id, owner, body) select id, sender_id, body from engine_memories')
  for (const { indexdef } of indexes) await run(String(indexdef))
  await run(PLAIN_INDEX)
  for (const table of ['engine_memories', 'plain']) await run(`vacuum analyze ${table}`)
  return sizesOf(run)
}

/** Tables as a new gateway has them, and those of the references. */
export async function makeEmpty(where: PlaceOf): Promise<void> {
  if (where.kind === 'pglite') {
    const { client, close } = await openPglite({ dataDir: where.dataDir })
    await migratePglite(client)
    await client.exec(`${PLAIN_TABLE}; ${PLAIN_INDEX}`)
    return close()
  }
  await migratePostgres(where.url)
  const sql = postgres(where.url, { max: 1 })
  await sql.unsafe(`${PLAIN_TABLE}; ${PLAIN_INDEX}`)
  await sql.end()
}

async function sizesOf(run: Run): Promise<Sizes> {
  const sizes =
    await run(`select relname, (case relkind when 'r' then pg_table_size(oid) else pg_relation_size(oid) end)::float8 as bytes
    from pg_class where relname ~ '^(engine_memories|plain)' and relkind in ('r', 'i') order by bytes desc`)
  const [counted] = await run('select count(*)::int as rows from engine_memories')
  return {
    relations: Object.fromEntries(sizes.map(({ relname, bytes }) => [String(relname), Number(bytes)])),
    rows: Number(counted?.rows),
  }
}

/** Texts for COPY, of a megabyte or so each. */
function* copyPages(spread: Spread): Generator<string> {
  let page = ''
  for (let at = 0; at < spread.memories; at++) {
    for (const row of rowsOf(at, spread)) page += lineOf(row)
    if (page.length < PAGE_LENGTH) continue
    yield page
    page = ''
  }
  if (page !== '') yield page
}

/** The memories of turn `at`. */
export function* rowsOf(at: number, { memories, users }: Spread): Generator<typeof engineMemories.$inferInsert> {
  const turn = turnOf(at, memories)
  const session = { ...ownerOf(turn.session % users), sessionId: `s_bench_session_${turn.session}` }
  const content = { speaker: turn.speaker, parts: [{ text: turn.text }] }
  for (const memory of composeMemories(session, turn.timestamp, content)) yield { ...session, ...memory }
}

const loadedAt = new Date()

/** A row in the text form of COPY. */
function lineOf(row: typeof engineMemories.$inferInsert): string {
  const values: Readonly<Record<string, unknown>> = row
  const fields = columns.map(([name, column]) => {
    const value = values[name] ?? (name === 'createdAt' ? loadedAt : column.default)
    if (value === undefined || value === null) return '\\N'
    const text = String(column.mapToDriverValue(value))
    return /[\\\t\n\r]/.test(text) ? text.replaceAll(/[\\\t\n\r]/g, (sign) => SIGNS[sign] ?? sign) : text
  })
  return `${fields.join('\t')}\n`
}

const SIGNS: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
