import { sql } from 'drizzle-orm'
import { inTransaction } from '../../src/db/database.ts'
import { type Owner, ownerOf } from './load.ts'
import { type Place, rowsOf } from './place.ts'
import { ASKED_AT, type Question } from './texts.ts'

export const HITS = 10

/** A way to search: the texts of the best hits. */
export type Way = (question: Question, owner: Owner) => Promise<string[]>

export const WAY_NAMES = ['engine', 'ts_rank', 'sequential scan'] as const
export type WayName = (typeof WAY_NAMES)[number]

/** The engine, and what PostgreSQL's own full-text search does with the same questions. */
export function waysOf({ backend, db }: Place): Record<WayName, Way> {
  const plain = (
    question: Question,
    { senderId }: Owner,
  ) => sql`select body from plain, to_tsquery('english', ${anyWord(question.text)}) as query
    where owner = ${senderId} and words @@ query order by ts_rank(words, query) desc, id limit ${HITS}`
  const bodies = (answer: unknown) => rowsOf(answer).map(({ body }) => String(body))
  return {
    engine: async ({ text }, owner) => {
      const { hits } = await backend.search({ ...owner, query: text, topK: HITS, askedAt: ASKED_AT })
      return hits.map((hit) => hit.text)
    },
    ts_rank: async (question, owner) => bodies(await db.execute(plain(question, owner))),
    'sequential scan': (question, owner) =>
      inTransaction(db, async (tx) => {
        await tx.execute(sql`set local enable_indexscan = off`)
        await tx.execute(sql`set local enable_bitmapscan = off`)
        return bodies(await tx.execute(plain(question, owner)))
      }),
  }
}

/** As many memories as the engine's are found by any of the words. */
function anyWord(text: string): string {
  return (text.match(/[\p{L}\p{N}]+/gu) ?? []).join(' | ')
}

export function ownerOfQuestion({ session }: Question, users: number): Owner {
  return ownerOf(session % users)
}
