import { createHash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import { rowsOf } from './rows.ts'

/** What pgvector's HNSW takes: of `vector`, and of `halfvec`. */
const MOST_OF_VECTOR = 2_000
const MOST_OF_HALFVEC = 4_000

export interface VectorExtension {
  /** Where its types and operators are. */
  readonly schema: string
  /** Since 0.8 a search goes on until enough rows pass its filter. */
  readonly canIterate: boolean
}

/** pgvector, made available if the database has it and lets us; undefined if not. */
export async function openVectorExtension(db: Database): Promise<VectorExtension | undefined> {
  const found = await installed(db)
  if (found) return found
  const [offered] = await rowsOf<object>(db, sql`select 1 as one from pg_available_extensions where name = 'vector'`)
  if (!offered) return undefined
  try {
    await db.execute(sql`create extension if not exists vector`)
  } catch {
    // No right to, or another process does it at this moment.
  }
  return installed(db)
}

async function installed(db: Database): Promise<VectorExtension | undefined> {
  const [row] = await rowsOf<{ schema: string; version: string }>(
    db,
    sql`select n.nspname as schema, e.extversion as version
      from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'`,
  )
  if (!row) return undefined
  const [major = 0, minor = 0] = row.version.split('.').map(Number)
  return { schema: row.schema, canIterate: major > 0 || minor >= 8 }
}

export interface VectorIndex {
  readonly name: string
  /** Lets `create index` be repeated, by one process at a time. */
  readonly create: string
}

/** Statements on the vectors of one model and dimension. They name the model as a constant, so that the planner knows the index that has it as its condition. */
export class VectorSpace {
  readonly dimensions: number
  readonly isIndexable: boolean
  /** Its index can be searched for one partition among many. */
  readonly canBeWalked: boolean
  readonly #extension: VectorExtension
  readonly #model: string
  readonly #type: string
  readonly #operators: string

  constructor(extension: VectorExtension, model: string, dimensions: number) {
    this.#extension = extension
    this.#model = model
    this.dimensions = dimensions
    const kind = dimensions > MOST_OF_VECTOR ? 'halfvec' : 'vector'
    this.isIndexable = dimensions <= MOST_OF_HALFVEC
    this.canBeWalked = extension.canIterate
    this.#type = `${identifier(extension.schema)}.${this.isIndexable ? kind : 'vector'}(${dimensions})`
    this.#operators = `${identifier(extension.schema)}.${kind}_ip_ops`
  }

  /** Which rows of `engine_embeddings`, by the name `e`, are in it. */
  get condition(): SQL {
    return sql.raw(`e.model = ${literal(this.#model)} and cardinality(e.embedding) = ${this.dimensions}`)
  }

  /** Of two vectors of length 1: the less, the closer; the negative of their cosine. */
  distance(vector: string): SQL {
    const operator = sql.raw(`operator(${identifier(this.#extension.schema)}.<#>)`)
    const type = sql.raw(this.#type)
    return sql`(e.embedding::${type} ${operator} ${vector}::${type})`
  }

  get index(): VectorIndex {
    const hash = createHash('sha256').update(`${this.#model}\n${this.dimensions}`).digest('hex').slice(0, 12)
    const name = `engine_embeddings_nearest_${hash}`
    return {
      name,
      create: `create index concurrently if not exists ${name} on engine_embeddings
        using hnsw ((embedding::${this.#type}) ${this.#operators})
        where model = ${literal(this.#model)} and cardinality(embedding) = ${this.dimensions}`,
    }
  }
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  // Read alike whatever `standard_conforming_strings` says.
  return text.includes('\\') ? `E'${text.replaceAll(/['\\]/g, '\\$&')}'` : `'${text.replaceAll("'", "''")}'`
}
