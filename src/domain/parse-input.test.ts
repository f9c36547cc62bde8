import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { GatewayError } from './errors.ts'
import { lengthFirst, parseInput } from './parse-input.ts'
import { AddMessagesInput } from './sessions/schemas.ts'

function faultOf(input: unknown, schema: z.ZodType = AddMessagesInput): GatewayError {
  try {
    parseInput(schema, input)
  } catch (error) {
    return error as GatewayError
  }
  throw new Error('The input was taken.')
}

const fieldsOf = (error: GatewayError) => error.details?.fields as { path: string; message: string }[]
const say = (message: object) => ({ session_id: 'a', messages: [{ role: 'user', content: 'Hello', ...message }] })

describe('input', () => {
  it.each([
    ['messages', { session_id: 'a', messages: Array.from({ length: 16_000_000 }, () => 0) }, 500],
    ['messages.0.content', say({ content: Array.from({ length: 4_000_000 }, () => 0) }), 200],
    ['messages.0.tool_calls', say({ tool_calls: Array.from({ length: 4_000_000 }, () => 0) }), 128],
  ])('with far too many %s is refused before the elements are looked at', (path, input, max) => {
    const error = faultOf(input)
    expect(error.code).toBe('invalid_request')
    expect(fieldsOf(error)).toEqual([{ path, message: expect.stringContaining(`${max} elements at most`) }])
  })

  it('of the greatest length is looked at, and one more is not', () => {
    const schema = lengthFirst(2, z.array(z.string()))
    expect(parseInput(schema, ['a', 'b'])).toEqual(['a', 'b'])
    expect(fieldsOf(faultOf(['a', 'b', 'c'], schema))[0]?.message).toContain('2 elements at most')
    expect(fieldsOf(faultOf(['a', 3], schema))[0]?.path).toBe('1')
  })

  it('is told its first 20 faults, each cut', () => {
    const messages = Array.from({ length: 500 }, () => ({
      role: 'user',
      content: Array.from({ length: 200 }, () => ({})),
    }))
    expect(fieldsOf(faultOf({ session_id: 'a', messages }))).toHaveLength(20)
    const unknown = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key_${index}`, 0]))
    const error = faultOf({ ...say({}), ...unknown })
    expect(error.message.length).toBeLessThanOrEqual(200)
    expect(error.message).toContain('key_0')
    for (const { message } of fieldsOf(error)) expect(message.length).toBeLessThanOrEqual(200)
  })
})
