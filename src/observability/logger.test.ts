import { DrizzleQueryError } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { serializeError } from './logger.ts'

const SECRET = 'what a person wrote'
const failed = new DrizzleQueryError(
  'insert into messages values ($1)',
  [`${SECRET}\n    at second (line)`],
  Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' }),
)

describe('an error in the log', () => {
  it('keeps type, code, message, stack and cause', () => {
    const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER' })
    expect(serializeError(new RangeError('outer', { cause }))).toEqual({
      type: 'RangeError',
      message: 'outer',
      stack: expect.stringContaining('logger.test.ts'),
      cause: { type: 'TypeError', code: 'E_INNER', message: 'inner', stack: expect.any(String) },
    })
  })

  it('keeps the statement that failed, and why, without its values', () => {
    expect(serializeError(failed)).toEqual({
      type: 'DrizzleQueryError',
      query: 'insert into messages values ($1)',
      cause: { type: 'Error', code: 'ECONNREFUSED', message: 'connect refused', stack: expect.any(String) },
    })
  })

  const { message, stack } = failed
  it.each<[string, unknown]>([
    ['the copy of one that pg-boss emits', { ...Object(failed), message, stack, queue: 'relay-session', worker: 'w1' }],
    ['an object with its message alone', { message, stack }],
    ['an object around one', { name: 'Wrapped', cause: { deeper: failed, cause: failed } }],
    ['an error that quotes its message', new Error(`job failed: ${message}`)],
    ['an error around errors that quote it', new Error('a', { cause: new Error('b', { cause: new Error(message) }) })],
    ['its message', message],
    ['an error of a driver', Object.assign(new Error(SECRET), { parameters: [SECRET] })],
    ['an object of a driver', { message: SECRET, params: [SECRET] }],
    ['what a constraint says', Object.assign(new Error('duplicate key'), { detail: `Key (text)=(${SECRET})` })],
    ['fields that nobody knows', { code: { text: SECRET }, name: [SECRET], payload: SECRET }],
  ])('%s: no values', (_, thrown) => {
    const line = JSON.stringify(serializeError(thrown))
    expect(line).not.toContain(SECRET)
    expect(line).not.toContain('params')
  })

  it('keeps what else such an object says', () => {
    expect(serializeError({ name: 'Error', code: '57P01', message: 'terminating', queue: 'q' })).toEqual({
      type: 'Error',
      code: '57P01',
      message: 'terminating',
    })
  })

  it('ends where a cause is its own cause', () => {
    const circular = new Error('a')
    circular.cause = circular
    expect(JSON.stringify(serializeError(circular))).toContain('"a"')
  })

  it('is as it was if it is no object', () => {
    expect([undefined, null, 7, 'text'].map((thrown) => serializeError(thrown))).toEqual([undefined, null, 7, 'text'])
  })
})
