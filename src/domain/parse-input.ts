import type { z } from 'zod'
import { GatewayError } from './errors.ts'

/** Field faults as `details.fields`: where, and what is wrong. */
export function invalidRequest(issues: readonly z.core.$ZodIssue[]): GatewayError {
  const fields = issues
    .slice(0, 20)
    .map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message }))
  const first = fields[0]
  const where = first?.path ? `${first.path}: ` : ''
  return new GatewayError('invalid_request', `${where}${first?.message ?? 'The request is not valid.'}`, {
    details: { fields },
  })
}

/** Parses a verb's input, so that no surface can skip it. Throws `invalid_request`. */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw invalidRequest(result.error.issues)
}
