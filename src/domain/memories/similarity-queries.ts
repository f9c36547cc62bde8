import { type AnyColumn, type SQL, sql } from 'drizzle-orm'

/** What `termsOf` found in a text. */
export interface TermColumns {
  readonly terms: AnyColumn
  readonly wordCount: AnyColumn
}

const FEW_WORDS = 16

/** The cosine of two sets of words, 0..1: those they share, by the root of the product of their sizes. */
export function wordSimilarity(columns: TermColumns, words: readonly string[]): SQL<number> {
  if (words.length === 0) return sql<number>`0::float8`.mapWith(Number)
  const { terms, wordCount } = columns
  // Looking for each of a few words takes a tenth of the time of going through the terms of a text.
  const shared =
    words.length <= FEW_WORDS
      ? sql`(${sql.join(
          words.map((word) => sql`(${word} = any(${terms}))::int`),
          sql` + `,
        )})`
      : sql`(select count(*) from unnest(${terms}) as term where term = any(${textArray(words)}))`
  // A text of single characters alone is compared by them.
  const size = sql`greatest(case when ${wordCount} = 0 then cardinality(${terms}) else ${wordCount} end, 1)`
  return sql<number>`least(1, ${shared} / sqrt(${size} * ${words.length}::float8))`.mapWith(Number)
}

export function textArray(values: readonly string[]): SQL {
  return sql`array[${sql.join(
    values.map((value) => sql`${value}`),
    sql`, `,
  )}]::text[]`
}
