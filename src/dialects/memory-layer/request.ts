import type { z } from 'zod'
import type { KeyScope } from '../../domain/accounts/authenticate-key.ts'
import type { ServiceContext } from '../../domain/context.ts'
import { bearerToken, type HttpContext } from '../../http/context.ts'
import { valueAt } from '../../http/dialect.ts'
import { openService } from '../../http/service.ts'
import { type Fault, ValidationError } from './errors.ts'

/** The request, in the project of its key. */
export function open(c: HttpContext, scope: KeyScope): Promise<ServiceContext> {
  return openService(c, bearerToken(c), { scope })
}

/**
 * The JSON body, whatever its Content-Type says: the service's own examples send it without one. The text is there already, read and
 * bounded by `jsonBody`.
 */
export async function readBody<T extends z.ZodType>(c: HttpContext, schema: T): Promise<z.output<T>> {
  const text = await c.req.text()
  if (text.trim() === '') throw new ValidationError([{ type: 'missing', loc: ['body'], msg: 'Field required' }])
  const body = parseJson(text)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from'
    throw new ValidationError([{ type: 'model_attributes_type', loc: ['body'], msg }])
  }
  return validate(schema, body, 'body')
}

/** Of a parameter that is sent several times the last counts. */
export function readQuery<T extends z.ZodType>(c: HttpContext, schema: T): z.output<T> {
  const query = Object.entries(c.req.queries()).map(([name, values]) => [name, values.at(-1)])
  return validate(schema, Object.fromEntries(query), 'query')
}

export function validate<T extends z.ZodType>(schema: T, input: unknown, where: 'body' | 'query'): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ValidationError(result.error.issues.slice(0, 20).map((issue) => toFault(issue, input, where)))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const at = position === undefined ? text.length : Number(position)
    throw new ValidationError([{ type: 'json_invalid', loc: ['body', at], msg: 'JSON decode error' }])
  }
}

function toFault(issue: z.core.$ZodIssue, input: unknown, where: string): Fault {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  const { type, msg } = named(issue, valueAt(input, path))
  return { type, loc: [where, ...path], msg }
}

const EXPECTED: Readonly<Record<string, Omit<Fault, 'loc'>>> = {
  string: { type: 'string_type', msg: 'Input should be a valid string' },
  record: { type: 'dict_type', msg: 'Input should be a valid dictionary' },
  object: { type: 'dict_type', msg: 'Input should be a valid dictionary' },
}

/** Pydantic's name for a fault, and its words. */
function named(issue: z.core.$ZodIssue, value: unknown): Omit<Fault, 'loc'> {
  if (value === undefined) return { type: 'missing', msg: 'Field required' }
  if (issue.code === 'custom') {
    const type: unknown = issue.params?.['type']
    return typeof type === 'string'
      ? { type, msg: issue.message }
      : { type: 'value_error', msg: `Value error, ${issue.message}` }
  }
  if (issue.code === 'invalid_type' && EXPECTED[issue.expected]) return EXPECTED[issue.expected] as Omit<Fault, 'loc'>
  if (issue.code === 'too_small') {
    return { type: 'string_too_short', msg: `String should have at least ${characters(issue.minimum)}` }
  }
  if (issue.code === 'too_big') {
    return { type: 'string_too_long', msg: `String should have at most ${characters(issue.maximum)}` }
  }
  return { type: 'value_error', msg: `Value error, ${issue.message}` }
}

function characters(count: number | bigint): string {
  return `${count} ${Number(count) === 1 ? 'character' : 'characters'}`
}
