import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Plan } from '../domain/context.ts'
import { nameId } from '../domain/text-schemas.ts'
import { ConfigError } from './env.ts'

const count = z.number().int().min(0).optional()

const plan = z.strictObject({
  requests_per_minute: count,
  requests_per_month: count,
  memories: count,
  adds_per_month: count,
  searches_per_day: count,
  searches_per_month: count,
  tokens_per_month: count,
})

/** A limit that is left out does not hold. */
const plansFile = z.record(nameId, plan)

/** The plans of the file, by name; none without a file. Throws a ConfigError that names the setting and every fault. */
export function readPlans(path: string | undefined): ReadonlyMap<string, Plan> {
  if (path === undefined) return new Map()
  const result = plansFile.safeParse(readJson(path))
  if (!result.success) {
    throw new ConfigError(
      result.error.issues
        .map((issue) => `PLANS_FILE: ${[path, ...issue.path].join(' → ')}: ${issue.message}`)
        .join('\n'),
    )
  }
  return new Map(Object.entries(result.data).map(([name, limits]) => [name, toPlan(limits)]))
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`PLANS_FILE: cannot read plans from ${path} (${reason}).`)
  }
}

function toPlan(limits: z.infer<typeof plan>): Plan {
  return {
    requestsPerMinute: limits.requests_per_minute,
    requestsPerMonth: limits.requests_per_month,
    memories: limits.memories,
    addsPerMonth: limits.adds_per_month,
    searchesPerDay: limits.searches_per_day,
    searchesPerMonth: limits.searches_per_month,
    tokensPerMonth: limits.tokens_per_month,
  }
}
