import { z } from 'zod'
import { GatewayError } from './errors.ts'

const MAX_FAULTS = 20
const MAX_FAULT_LENGTH = 200

/**
 * Has the length of an array checked before `schema` looks at its elements: zod keeps an issue for each that is wrong, by which a
 * small body of millions would fill the memory.
 */
export function lengthFirst<T extends z.ZodType>(max: number, schema: T) {
  return z.preprocess((value, ctx) => {
    if (!Array.isArray(value) || value.length <= max) return value
    ctx.addIssue({ code: 'custom', message: `must have ${max} elements at most, not ${value.length}` })
    return z.NEVER
  }, schema)
}

/** Field faults as `details.fields`: where, and what is wrong. */
export function invalidRequest(issues: readonly z.core.$ZodIssue[]): GatewayError {
  const fields = issues
    .slice(0, MAX_FAULTS)
    .map((issue) => ({ path: cut(issue.path.map(String).join('.')), message: cut(issue.message) }))
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

/** An issue may quote the body: every key that is unknown, for one. */
function cut(text: string): string {
  return text.length > MAX_FAULT_LENGTH ? `${text.slice(0, MAX_FAULT_LENGTH - 1)}…`.toWellFormed() : text
}
