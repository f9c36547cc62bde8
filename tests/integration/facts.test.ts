import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUser } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type StubModel, startStubModel } from '../helpers/stub-model.ts'

let gateway: TestGateway
let model: StubModel
beforeAll(async () => {
  model = await startStubModel()
  gateway = await startGateway({ ...model.settings, EXTRACTION_TOKENS_PER_DAY: '100000' })
})
afterAll(async () => {
  await gateway.close()
  await model.close()
})

async function remember(user: Awaited<ReturnType<typeof createUser>>, content: string) {
  const { body } = await user.post('/memories/add', { session_id: 'chat:1', messages: [{ role: 'user', content }] })
  expect((await user.post('/memories/flush', { session_id: 'chat:1' })).status).toBe(200)
  return body.message_ids[0] as string
}

describe('facts of a configured chat model', () => {
  it('are found beside what was said, with its message as their source', async () => {
    const user = await createUser(gateway.url)
    const message = await remember(user, 'My greenhouse is heated with wood.')
    const { body } = await user.post('/memories/search', { query: 'greenhouse wood' })
    const results = body.results as { text: string; fact?: object; sources: { message_id: string }[] }[]
    expect(results.map(({ text, fact }) => ({ text, fact })).toSorted((a, b) => a.text.length - b.text.length)).toEqual(
      [
        { text: 'My greenhouse is heated with wood.', fact: undefined },
        { text: 'It was stated: My greenhouse is heated with wood.', fact: { type: 'fact', confidence: 0.7 } },
      ],
    )
    for (const { sources } of results) expect(sources.map(({ message_id }) => message_id)).toEqual([message])
  })

  it('are counted in the metrics, with their tokens', async () => {
    await remember(await createUser(gateway.url), 'I keep two goats.')
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    expect(metrics).toMatch(/^gateway_engine_model_calls_total\{purpose="facts",outcome="answered"\} [1-9]/m)
    expect(metrics).toMatch(/^gateway_engine_model_tokens_total\{purpose="facts",direction="input"\} [1-9]/m)
    expect(metrics).toMatch(/^gateway_engine_facts_total\{outcome="stored"\} [1-9]/m)
  })

  it('are not drawn while the model is away, and the flush answers all the same', async () => {
    const user = await createUser(gateway.url)
    model.misbehave({ status: 503 })
    await remember(user, 'My boat is called Marten.')
    const { body } = await user.post('/memories/search', { query: 'boat' })
    expect(body.results).toMatchObject([{ text: 'My boat is called Marten.' }])
    model.behave()
  })
})
