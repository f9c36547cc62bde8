import {
  type messages,
  type PGlite,
  parse,
  protocol,
  type Results,
  type Transaction,
  types,
} from '@electric-sql/pglite'

const { serialize } = protocol

/** Types that drizzle-orm reads by itself, from what PostgreSQL writes. */
const READ_BY_DRIZZLE = [types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL, types.DATE]

/** For `PGlite.create`: the parsers that drizzle-orm passes with each query. (It passes some for arrays, too, but takes them as PGlite reads them.) */
export const parsers = Object.fromEntries(READ_BY_DRIZZLE.map((type) => [type, (text: string) => text]))

/** For those who pass none, pg-boss: times as `Date`, as PGlite has them on its own. */
const usualParsers = Object.fromEntries(
  READ_BY_DRIZZLE.flatMap((type) => {
    const parser = types.parsers[type]
    return parser ? [[type, parser]] : []
  }),
)

/** So many statements stay prepared, those that were used last. */
const MOST = 200
/** Longer ones have their values in them, or a place for each of many: they do not come again. */
const MOST_CHARACTERS = 20_000
const PREPARABLE = /^\s*(?:with|select|insert|update|delete)\b/i
/** Afterwards a prepared statement might answer other columns than it was described with. */
const CHANGES_TABLES = /\b(?:create|alter|drop)\b/i

type Query = PGlite['query']
type Exec = PGlite['exec']
/** Runs what it is given when nobody else asks. */
type Alone = <T>(run: () => Promise<T>) => Promise<T>

interface Statement {
  readonly name: string
  readonly serializers: readonly ((value: unknown) => string)[]
  readonly description: readonly messages.BackendMessage[]
}

/**
 * Has statements parsed and planned once, as on a PostgreSQL server, and asked in one call: PGlite would do all of it each time, which
 * takes 5 to 20 times as long as running a small one. Also leaves out the copy that PGlite makes of its parsers, hundreds, for a query that comes with
 * some of its own. What cannot be prepared goes the usual way.
 */
export function prepareStatements(client: PGlite): void {
  const statements = new PreparedStatements(client)
  statements.prepareOn(client, (run) =>
    client._runExclusiveTransaction(async () => {
      const results = await client._runExclusiveQuery(run)
      await client.syncToFs()
      return results
    }),
  )
  const transaction = client.transaction.bind(client)
  client.transaction = (work) =>
    transaction((tx) => {
      statements.prepareOn(tx, async (run) => {
        if (tx.closed) throw new Error('Transaction is closed')
        return client._runExclusiveQuery(run)
      })
      return work(tx)
    })
}

class PreparedStatements {
  readonly #client: PGlite
  /** By their text, the one that was used last at the end. */
  readonly #statements = new Map<string, Statement>()
  /** Names that are to be given back to the database. */
  readonly #dropped: string[] = []
  #made = 0
  #usual: PGlite['parsers'] | undefined

  constructor(client: PGlite) {
    this.#client = client
  }

  prepareOn(runner: PGlite | Transaction, alone: Alone): void {
    runner.query = this.#query(runner.query.bind(runner), alone)
    runner.exec = this.#exec(runner.exec.bind(runner), alone)
  }

  #query(query: Query, alone: Alone): Query {
    return async <T>(text: string, params?: unknown[], options?: Parameters<Query>[2]): Promise<Results<T>> => {
      const { parsers: given, rowMode, ...others } = options ?? {}
      if (isPreparable(text) && Object.keys(others).length === 0) {
        return alone(() => this.#run<T>(text, params ?? [], { rowMode, isUsual: given === undefined }))
      }
      const rest = given ? {} : { parsers: usualParsers }
      return this.#forgetting(text, query<T>(text, params, { ...others, ...rest, ...(rowMode && { rowMode }) }))
    }
  }

  /** pg-boss asks so for jobs, every second in each of its queues. */
  #exec(exec: Exec, alone: Alone): Exec {
    return async (text, options) => {
      if (isPreparable(text) && !text.includes(';') && options === undefined) {
        return [await alone(() => this.#run(text, [], { rowMode: undefined, isUsual: true }))]
      }
      return this.#forgetting(text, exec(text, { parsers: usualParsers, ...options }))
    }
  }

  async #forgetting<T>(text: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } finally {
      if (CHANGES_TABLES.test(text)) for (const statement of this.#statements) this.#drop(...statement)
    }
  }

  async #run<T>(
    text: string,
    params: readonly unknown[],
    { rowMode, isUsual }: { rowMode: 'array' | 'object' | undefined; isUsual: boolean },
  ): Promise<Results<T>> {
    try {
      const statement = await this.#statement(text)
      const values = params.map((value, index) =>
        value === null || value === undefined ? null : (statement.serializers[index] ?? String)(value),
      )
      const answer = await this.#send(serialize.bind({ statement: statement.name, values }), serialize.execute({}))
      const [results] = parse.parseResults(
        [...statement.description, ...answer],
        isUsual ? (this.#usual ??= { ...this.#client.parsers, ...usualParsers }) : this.#client.parsers,
        rowMode && { rowMode },
      )
      return results as Results<T>
    } catch (error) {
      // By these the log knows that the message may hold values of the statement.
      throw error instanceof Error ? Object.assign(error, { query: text, params }) : error
    }
  }

  async #statement(text: string): Promise<Statement> {
    const known = this.#statements.get(text)
    if (known) {
      this.#statements.delete(text)
      this.#statements.set(text, known)
      return known
    }
    const closed = this.#dropped.map((name) => serialize.close({ type: 'S', name }))
    const name = `s${++this.#made}`
    const answer = await this.#send(...closed, serialize.parse({ name, text }), serialize.describe({ type: 'S', name }))
    this.#dropped.splice(0, closed.length)
    const statement = {
      name,
      serializers: parse.parseDescribeStatementResults(answer).map((type) => this.#client.serializers[type] ?? String),
      description: answer.filter((message) => message.name === 'rowDescription'),
    }
    this.#statements.set(text, statement)
    const [oldest] = this.#statements
    if (this.#statements.size > MOST && oldest) this.#drop(...oldest)
    return statement
  }

  #send(...parts: Uint8Array[]): Promise<messages.BackendMessage[]> {
    const message = Buffer.concat([...parts, serialize.sync()])
    return this.#client.execProtocolStream(message, { syncToFs: false })
  }

  #drop(text: string, { name }: Statement): void {
    this.#statements.delete(text)
    this.#dropped.push(name)
  }
}

function isPreparable(text: string): boolean {
  return text.length <= MOST_CHARACTERS && PREPARABLE.test(text)
}
