import { planOf, scansOf, watchStatements } from '../../tests/helpers/statement-plans.ts'
import type { Spread } from './load.ts'
import { openPlace, type PlaceOf } from './place.ts'
import { ASKED_AT, QUERY_KINDS, questionOf } from './texts.ts'
import { HITS, ownerOfQuestion } from './ways.ts'

/** How the server carries out each statement of a search, and for how long, for one question of each kind: rows of a table. */
export async function plansOf(where: PlaceOf, spread: Spread): Promise<string> {
  const place = await openPlace(where)
  try {
    const rows: string[] = []
    const statementsSoFar = watchStatements(place.db)
    for (const kind of QUERY_KINDS) {
      const question = questionOf(kind, 1, spread.memories)
      const asked = { ...ownerOfQuestion(question, spread.users), query: question.text, topK: HITS, askedAt: ASKED_AT }
      await place.backend.search(asked)
      for (const [at, statement] of statementsSoFar().entries()) {
        const plan = await planOf(place.db, statement, 'generic', ', analyze, buffers')
        const scans = scansOf(plan.Plan).filter((scan) => !/^(?:Subquery|Function) Scan/.test(scan))
        const ms = plan['Execution Time']?.toFixed(1)
        rows.push(`| ${spread.users} | ${kind} | ${at + 1} | ${[...new Set(scans)].join('; ')} | ${ms} |`)
      }
    }
    return rows.join('\n')
  } finally {
    await place.close()
  }
}
