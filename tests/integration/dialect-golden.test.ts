import { afterAll, beforeAll, describe, it } from 'vitest'
import { picture } from '../helpers/client.ts'
import { makeApp, send, serveWithModel } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { expectGolden } from '../helpers/golden.ts'

let gateway: TestGateway
let served: Awaited<ReturnType<typeof serveWithModel>>
beforeAll(async () => {
  gateway = await sharedGateway()
  served = await serveWithModel(gateway, () => 'You live in Lisbon.')
})
afterAll(() => served.close())

/** Sends requests one after the other, and writes down what each got. */
function recorder(key: string) {
  const answers: object[] = []
  const ask = async (method: string, path: string, body?: unknown, as: string | undefined = key) => {
    const answer = await send(served.url, { method, path, body }, as)
    answers.push({ request: `${method} ${path}`, status: answer.status, body: answer.body })
    return answer.body
  }
  return { answers, ask }
}

const user = { external_user_id: 'john_doe@gmail.com' }
const unknownId = 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56'

describe('the answers of Memory Layer', () => {
  it('to requests on memories', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    const { memory } = await ask('POST', '/v1/memory/', {
      content: 'User lives in Lisbon',
      metadata: { a: 1 },
      ...user,
    })
    await ask('POST', '/v1/memory/search', { query: 'Where does the user live? In Lisbon?', ...user })
    await ask('GET', '/v1/memory/')
    await ask('GET', `/v1/memory/${memory.id}`)
    await ask('POST', '/v1/chat/', { message: 'Where in Lisbon do I live?', ...user })
    await ask('POST', '/v1/chat/legacy', { message: 'Is Lisbon where I live?', ...user })
    await ask('GET', '/v1/memory/stats')
    await ask('DELETE', `/v1/memory/${memory.id}`)
    await ask('GET', `/v1/memory/${memory.id}`)
    expectGolden('fixtures/dialects/memory-layer/memories.json', answers)
  })

  it('to upkeep', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    for (const place of ['Lisbon', 'Porto', 'Faro']) {
      await ask('POST', '/v1/memory/', { content: `Wants a quiet hotel room in ${place}`, ...user })
    }
    answers.splice(0)
    await ask('POST', '/v1/memory/prune?max_memories=2&dry_run=true')
    await ask('POST', '/v1/memory/maintenance/link-optimization')
    await ask('POST', '/v1/memory/maintenance/importance-recalculation')
    await ask('POST', '/v1/memory/maintenance/pruning')
    await ask('POST', '/v1/memory/maintenance/other')
    expectGolden('fixtures/dialects/memory-layer/upkeep.json', answers)
  })

  it('to requests on keys', async () => {
    const { key } = await makeApp(gateway, { scopes: ['admin'] })
    const { answers, ask } = recorder(key)
    const made = await ask('POST', '/v1/keys/', { name: 'Production Key' })
    await ask('POST', `/v1/keys/${made.id}/revoke`)
    await ask('POST', `/v1/keys/${made.id}/revoke`)
    expectGolden('fixtures/dialects/memory-layer/keys.json', answers)
  })

  it('to what is wrong', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    await ask('POST', '/v1/memory/search', {})
    await ask('POST', '/v1/memory/search', { query: '', limit: 0, similarity_threshold: 'much' })
    await ask('GET', '/v1/memory/?limit=201')
    await ask('GET', `/v1/memory/${unknownId}`, undefined, 'wrong')
    await ask('GET', `/v1/memory/${unknownId}`)
    await ask('GET', '/v1/memory/a/b')
    await ask('GET', '/v1/keys/')
    expectGolden('fixtures/dialects/memory-layer/errors.json', answers)
  })
})

describe('the answers of MemoryStack', () => {
  const memories = [
    { content: 'Lives in Lisbon', memory_type: 'fact', confidence: 0.9, metadata: { a: 1 }, user_id: 'user_123' },
    { content: 'Prefers tea', memory_type: 'preference', confidence: 0.75, agent_id: 'support', team_id: 'care' },
  ]

  it('to requests on memories', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    const { memory_ids: ids } = await ask('POST', '/api/v1/memories/import', { memories })
    await ask('GET', '/api/v1/memories?limit=1')
    await ask('GET', '/api/v1/memories/search?query=Lisbon&user_id=user_123&mode=text')
    await ask('GET', `/api/v1/memories/${ids[0]}`)
    await ask('PATCH', `/api/v1/memories/${ids[0]}`, { content: 'Lives in Porto', metadata: {} })
    await ask('GET', '/api/v1/memories/agents?agent_id=support')
    await ask('GET', '/api/v1/stats')
    await ask('GET', '/api/v1/graph')
    await ask('POST', '/api/v1/memories/export', { format: 'json' })
    await ask('POST', '/api/v1/memories/export', { format: 'csv' })
    await ask('DELETE', `/api/v1/memories/${ids[0]}`)
    await ask('DELETE', '/api/v1/memories/batch', { memory_ids: ids, hard: true })
    expectGolden('fixtures/dialects/memory-stack/memories.json', answers)
  })

  it('to conversations', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    const messages = [
      { role: 'user', content: 'I love TypeScript' },
      { role: 'assistant', content: 'TypeScript is great!' },
    ]
    const data = Buffer.from(picture).toString('base64')
    await ask('POST', '/api/v1/memories', { messages, user_id: 'user_123' })
    await ask('POST', '/api/v1/memories', { messages: [{ role: 'user', content: 'Hello!' }] })
    await ask('POST', '/api/v1/memories/agents', { messages, agent_name: 'Support' })
    const { memory_ids: ids } = await ask('POST', '/api/v1/memories', {
      messages: [{ role: 'user', content: [{ type: 'image', data, name: 'shapes.png' }] }],
    })
    await ask('GET', `/api/v1/memories/${ids[0]}`)
    expectGolden('fixtures/dialects/memory-stack/conversations.json', answers)
  })

  it('to upkeep', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    const places = ['Lisbon', 'Porto', 'Faro'].map((place) => ({ content: `Wants a quiet hotel room in ${place}` }))
    await ask('POST', '/api/v1/memories/import', { memories: [...places, ...places.slice(0, 1)] })
    answers.splice(0)
    await ask('POST', '/api/v1/memories/consolidate', { dry_run: true, similarity_threshold: 1 })
    await ask('POST', '/api/v1/memories/consolidate', { similarity_threshold: 1 })
    await ask('GET', '/api/v1/auto-maintenance/config')
    await ask('POST', '/api/v1/auto-maintenance/config', { reflection_frequency: 'daily' })
    expectGolden('fixtures/dialects/memory-stack/upkeep.json', answers)
  })

  it('to what is wrong', async () => {
    const { key } = await makeApp(gateway)
    const { answers, ask } = recorder(key)
    await ask('POST', '/api/v1/memories', {})
    await ask('GET', '/api/v1/memories?limit=101&order=up')
    await ask('GET', '/api/v1/memories', undefined, 'wrong')
    await ask('GET', `/api/v1/memories/${unknownId}`)
    await ask('GET', '/api/v1/unknown')
    expectGolden('fixtures/dialects/memory-stack/errors.json', answers)
  })
})
