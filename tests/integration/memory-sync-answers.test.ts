import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type Json, makeSyncCaller } from '../helpers/memory-sync.ts'
import { type StubModel, startStubModel } from '../helpers/stub-model.ts'

let gateway: TestGateway
let model: StubModel
beforeAll(async () => {
  model = await startStubModel()
  gateway = await startGateway({ ...model.settings, CHAT_TIMEOUT_MS: '1000' })
})
afterEach(() => model.behave())
afterAll(async () => {
  await gateway.close()
  await model.close()
})

const says = (answer: Json) => model.misbehave({ text: JSON.stringify(answer) })
const shown = () => model.requests.at(-1)?.messages.at(-1)?.content ?? ''

async function withTwo() {
  const me = await makeSyncCaller(gateway)
  const one = await me.add('The spare key is under the third stone')
  const other = await me.add('The stone wall was built by her uncle')
  return { me, one: one.id as number, other: other.id as number }
}

describe('an answer of the chat model', () => {
  it('is drawn from the memories that have to do with the question, and names those that the model named', async () => {
    const { me, one, other } = await withTwo()
    says({ answer: 'Under the third stone.', sources: [1, 9] })
    const { status, body } = await me.call('POST', '/memory/search/routed', {
      query: 'Under which stone is the spare key?',
      include_reasoning: true,
    })
    expect([status, body]).toEqual([
      200,
      {
        answer: 'Under the third stone.',
        citations: [{ memory_id: one, text: 'The spare key is under the third stone' }],
        route: 'memory',
        reasoning: expect.stringContaining('2'),
        memories: [expect.objectContaining({ id: one }), expect.objectContaining({ id: other })],
      },
    ])
    expect(shown()).toContain('spare key')
    expect((await me.call('POST', '/memory/search/routed', { query: 'stone', route: 'web' })).status).toBe(422)
  })

  it('is drawn from the memories that are named, and from no one else’s', async () => {
    const { me, one, other } = await withTwo()
    says({ answer: 'There is a wall.', sources: [1] })
    const { body } = await me.call('POST', '/memory/synthesize', { memory_ids: [other] })
    expect(body).toEqual({
      answer: 'There is a wall.',
      citations: [{ memory_id: other, text: 'The stone wall was built by her uncle' }],
      memories_used: 1,
    })
    expect(shown()).not.toContain('spare key')
    expect((await me.as('other').call('POST', '/memory/synthesize', { memory_ids: [one] })).status).toBe(404)
    expect((await me.call('POST', '/memory/synthesize', {})).status).toBe(422)
  })

  it('is null where there is nothing to draw it from, and the model is not asked', async () => {
    const me = await makeSyncCaller(gateway)
    const before = model.requests.length
    const { body } = await me.call('POST', '/memory/synthesize', { query: 'Where is the key?' })
    expect(body).toEqual({ answer: null, citations: [], memories_used: 0 })
    expect(model.requests).toHaveLength(before)
  })

  it('is an error if the model fails or talks nonsense', async () => {
    const { me } = await withTwo()
    const ask = () => me.call('POST', '/memory/synthesize', { query: 'Where is the key?' })
    model.misbehave({ text: 'I had rather not.' }, 2)
    expect((await ask()).status).toBe(503)
    model.misbehave({ status: 400 }, 4)
    expect((await ask()).body.error.code).toBe('BACKEND_FAILED')
    model.misbehave({ status: 503 }, 4)
    const away = await ask()
    expect([away.status, away.body.error.retry_after]).toEqual([503, expect.any(Number)])
  })
})
