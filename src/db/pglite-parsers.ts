import { type PGlite, type Transaction, types } from '@electric-sql/pglite'

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

/**
 * PGlite copies its parsers, hundreds, for each query that comes with some of its own, as each of drizzle-orm does; that takes nearly as long as a small
 * query. Here they are the client's, and left out.
 */
export function parseAlike(client: PGlite): void {
  parseOn(client)
  const transaction = client.transaction.bind(client)
  client.transaction = (work) =>
    transaction((tx) => {
      parseOn(tx)
      return work(tx)
    })
}

function parseOn(runner: PGlite | Transaction): void {
  const [query, exec] = [runner.query.bind(runner), runner.exec.bind(runner)]
  runner.query = (text, params, options) => {
    if (!options?.parsers) return query(text, params, { ...options, parsers: usualParsers })
    const { parsers: _, ...rest } = options
    return query(text, params, rest)
  }
  runner.exec = (text, options) => exec(text, { parsers: usualParsers, ...options })
}
