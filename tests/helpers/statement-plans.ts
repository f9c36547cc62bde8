import { fillPlaceholders, sql } from 'drizzle-orm'
import { type Database, inTransaction } from '../../src/db/database.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/**
 * Watches a handle on which nothing is prepared yet. Gives a function that says which statements ran on it, not those within its transactions, since it was
 * last asked, in their order.
 */
export function watchStatements(db: Database): () => Statement[] {
  let statements: Statement[] = []
  const session = db._.session
  const prepareQuery = session.prepareQuery.bind(session)
  session.prepareQuery = (...args) => {
    const query = prepareQuery(...args)
    const execute = query.execute.bind(query)
    const { sql: text, params } = query.getQuery() as { sql: string; params: unknown[] }
    query.execute = (given, ...rest) => {
      statements.push({ text, values: fillPlaceholders(params, (given as Record<string, unknown>) ?? {}) })
      return execute(given, ...rest)
    }
    return query
  }
  return () => {
    const taken = statements
    statements = []
    return taken
  }
}

export interface PlanNode {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Relation Name'?: string
  readonly Plans?: readonly PlanNode[]
}

export interface Plan {
  readonly Plan: PlanNode
  /** Milliseconds; with `analyze`. */
  readonly 'Execution Time'?: number
}

/** `generic`: the plan for any values, which the server keeps once it has seen enough of them; `custom`: that for these values. */
export async function planOf(
  db: Database,
  { text, values }: Statement,
  mode: 'generic' | 'custom',
  options = '',
): Promise<Plan> {
  return inTransaction(db, async (tx) => {
    await tx.execute(sql.raw(`set local plan_cache_mode = force_${mode}_plan`))
    await tx.execute(sql.raw(`prepare explained as ${text}`))
    const given = values.length > 0 ? `(${values.map(literal).join(', ')})` : ''
    const answer = await tx.execute(sql.raw(`explain (format json ${options}) execute explained${given}`))
    await tx.execute(sql.raw('deallocate explained'))
    const [row] = (Array.isArray(answer) ? answer : (answer as { rows: unknown[] }).rows) as { 'QUERY PLAN': Plan[] }[]
    const [plan] = row?.['QUERY PLAN'] ?? []
    if (!plan) throw new Error(`No plan: ${text}`)
    return plan
  })
}

function literal(value: unknown): string {
  if (value === null || typeof value === 'number') return String(value)
  const text = Array.isArray(value)
    ? `{${value.map((one) => `"${String(one).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
    : (value as string)
  return `'${text.replaceAll("'", "''")}'`
}

/** Every scan of a plan, as `type of table or index`. */
export function scansOf(node: PlanNode): string[] {
  const own = node['Node Type'].endsWith('Scan')
    ? [`${node['Node Type']} of ${node['Index Name'] ?? node['Relation Name'] ?? '?'}`]
    : []
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)]
}
