import type { z } from 'zod'
import { GatewayError } from './errors.ts'

const MAX_FAULTS = 20
const MAX_FAULT_LENGTH = 200

/** Field faults as `details.fields`: where, and what is wrong. */
export function invalidRequest(issues: readonly z.core.$ZodIssue[]): GatewayError {
  const fields = issues
    .slice(0, MAX_FAULTS)
    .flatMap(meant)
    .slice(0, MAX_FAULTS)
    .map((issue) => ({ path: cut(issue.path.map(String).join('.')), message: cut(issue.message) }))
  const first = fields[0]
  const where = first?.path ? `${first.path}: ` : ''
  return new GatewayError('invalid_request', `${where}${first?.message ?? 'The request is not valid.'}`, {
    details: { fields },
  })
}

/** The faults of the one form, of those a field may have, that the caller chose: zod itself only says that none fits. */
function meant(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const chosen = issue.errors.filter(
    (faults) => !faults.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  )
  const [faults] = chosen
  if (!faults || chosen.length > 1) return [issue]
  return faults.slice(0, MAX_FAULTS).map((fault) => ({ ...fault, path: [...issue.path, ...fault.path] }))
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
