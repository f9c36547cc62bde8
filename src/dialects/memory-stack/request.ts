import type { z } from 'zod'
import type { KeyScope } from '../../domain/accounts/authenticate-key.ts'
import type { ServiceContext } from '../../domain/context.ts'
import { isMemoryId } from '../../domain/ids.ts'
import { unknownMemory } from '../../domain/memories/memory-scope.ts'
import { bearerToken, type HttpContext } from '../../http/context.ts'
import { valueAt } from '../../http/dialect.ts'
import { openService, type Whose } from '../../http/service.ts'
import { toFaults, ValidationError } from './errors.ts'

/** The key, in the header that a proxy on the way may have dropped, or in the one that it kept. */
export function secretOf(c: HttpContext): string | undefined {
  return bearerToken(c) ?? c.req.header('x-api-key')
}

/** The request, in the project of its key. */
export function open(c: HttpContext, scope: KeyScope): Promise<ServiceContext> {
  return openService(c, secretOf(c), { scope })
}

/** The JSON body, whatever its Content-Type says. The text is there already, read and bounded by `jsonBody`. */
export async function readBody<T extends z.ZodType>(c: HttpContext, schema: T): Promise<z.output<T>> {
  const text = await c.req.text()
  try {
    return validate(schema, text.trim() === '' ? {} : JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new ValidationError({ formErrors: ['The body is not valid JSON'], fieldErrors: {} })
    }
    throw error
  }
}

/** Of a parameter that is sent several times the first counts. */
export function readQuery<T extends z.ZodType>(c: HttpContext, schema: T): z.output<T> {
  return validate(schema, c.req.query())
}

/** Whose memories are meant: `self` are those of no end user; left out, all of the project. */
export function whoseOf(userId: string | null | undefined): Whose {
  if (userId === undefined || userId === null || userId === 'all') return 'all'
  return userId === 'self' ? 'nobody' : { endUser: userId }
}

/** A memory's id. What is no UUID names none. */
export function memoryIdOf(c: HttpContext): string {
  const id = c.req.param('memory_id') ?? ''
  if (!isMemoryId(id)) throw unknownMemory()
  return id.toLowerCase()
}

function validate<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const found = result.error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: wordsOf(issue, valueAt(input, issue.path)),
  }))
  throw new ValidationError(toFaults(found))
}

/** The words that clients of this API know. */
function wordsOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message
  if (value === undefined) return 'Required'
  if (issue.code === 'invalid_type') return `Expected ${issue.expected}, received ${typeName(value)}`
  if (issue.code === 'too_small') return boundWords(issue.origin, 'at least', issue.minimum)
  if (issue.code === 'too_big') return boundWords(issue.origin, 'at most', issue.maximum)
  if (issue.code === 'invalid_value') {
    return `Invalid enum value. Expected ${issue.values.map((one) => `'${String(one)}'`).join(' | ')}`
  }
  return 'Invalid input'
}

function boundWords(origin: string, how: 'at least' | 'at most', bound: number | bigint): string {
  if (origin === 'string') return `String must contain ${how} ${bound} character(s)`
  if (origin === 'array') return `Array must contain ${how} ${bound} element(s)`
  return `Number must be ${how === 'at least' ? 'greater' : 'less'} than or equal to ${bound}`
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
