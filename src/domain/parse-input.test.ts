import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { GatewayError } from './errors.ts'
import { parseInput } from './parse-input.ts'
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
    ['messages.0.content', say({ content: Array.from({ length: 201 }, () => ({ type: 'text', text: 'a' })) }), 200],
    ['messages.0.tool_calls', say({ tool_calls: Array.from({ length: 129 }, () => ({})) }), 128],
  ])('with too many %s is told how many there may be', (path, input, max) => {
    const error = faultOf(input)
    expect(error.code).toBe('invalid_request')
    expect(fieldsOf(error)).toEqual([{ path, message: expect.stringContaining(`${max}`) }])
  })

  it('with a faulty item is told which, and what of it', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'doc', name: 3 },
    ]
    expect(fieldsOf(faultOf(say({ content })))[0]).toMatchObject({
      path: 'messages.0.content.1.name',
      message: expect.stringContaining('expected string'),
    })
    expect(fieldsOf(faultOf(say({ content: 3 })))).toMatchObject([{ path: 'messages.0.content' }])
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
