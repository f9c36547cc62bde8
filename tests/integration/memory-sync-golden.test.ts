import { beforeAll, expect, it } from 'vitest'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeSyncCaller, type SyncAnswer, type SyncCaller } from '../helpers/memory-sync.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const NUMBERED = new Set(['id', 'memory_id', 'from_memory_id', 'to_memory_id', 'memory_ids'])
const TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/

/** What differs from run to run, by what it is; ids by the order in which they appeared. */
class Normaliser {
  readonly #numbers = new Map<unknown, number>()

  normalise(value: unknown, name = ''): unknown {
    if (Array.isArray(value)) return value.map((item) => this.normalise(item, name))
    if (typeof value === 'object' && value !== null) {
      // A relation's own id is of another series than those of memories.
      const isRelation = 'from_memory_id' in value
      const named = (key: string) => (key === 'id' && isRelation ? 'relation' : key)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.normalise(inner, named(key))]))
    }
    if (name === 'user_id') return 'USER'
    if (name === 'relation') return 'RELATION'
    if (name === 'actor' && value !== null) return 'KEY'
    if (name === 'latency_ms') return 'MILLISECONDS'
    // It rises when a memory is found, a moment after the answer.
    if (name === 'importance') return 'SHARE'
    if (NUMBERED.has(name) && typeof value === 'number') {
      if (!this.#numbers.has(value)) this.#numbers.set(value, this.#numbers.size + 1)
      return `#${this.#numbers.get(value)}`
    }
    if (typeof value !== 'string') return value
    if (TIME.test(value)) return 'TIME'
    return value.replace(/att_[a-z0-9]+/, 'FILE').replace(/^\/memory\/\d+\//, '/memory/#/')
  }
}

/** Every kind of answer, as it was when it was last looked at. A change shows in the diff of the file. */
it('answers as written down', async () => {
  const me = await makeSyncCaller(gateway)
  const seen = new Normaliser()
  const record = async (caller: SyncCaller, method: string, path: string, body?: unknown, headers = {}) => {
    const answer: SyncAnswer = await caller.call(method, path, body, headers)
    const shownPath = path.replaceAll(/\d+/g, '{id}')
    const request = {
      method,
      path: shownPath,
      ...(body !== undefined && !(body instanceof FormData) && { body: seen.normalise(body) }),
    }
    exchanges.push({
      request,
      status: answer.status,
      body: seen.normalise(answer.body, Array.isArray(answer.body) ? 'memory_ids' : ''),
    })
    return answer.body
  }
  const exchanges: unknown[] = []
  const text = 'User prefers dark mode and concise responses.'
  const page = { text, source: 'chat', metadata: { conversation_id: 'conv-123' }, deduplicate: true }
  const one = await record(me, 'POST', '/memory/add', page)
  await record(me, 'POST', '/memory/add', page)
  await record(me, 'POST', '/memory/add', { text: 'Thank you very much!' })
  await record(me, 'POST', '/memory/add', { text: 'short' })
  await record(me, 'POST', '/memory/add', page, { 'X-Project-ID': '' })
  await record(me, 'POST', '/memory/add', page, { 'X-End-User-ID': '' })
  await record(me, 'POST', '/memory/add', page, { 'X-API-Key': '' })
  const bulk = await record(me, 'POST', '/memory/bulk-add', {
    items: [{ text: 'Her sister is called Emily', tags: ['family'], importance: 0.7 }, { text: 'short' }, { text }],
  })
  const [sister] = bulk.results[0].memory_ids
  await record(me, 'POST', `/memory/${one.id}/relations`, { to_memory_id: sister, relationship_type: 'supports' })
  await record(me, 'POST', '/memory/batch-update', { items: [{ memory_id: sister, source: 'import' }] })
  await record(me, 'PATCH', `/memory/${sister}`, { tags: ['family', 'emily'] })
  await record(me, 'GET', `/memory/${sister}/history`)
  await record(me, 'POST', `/memory/${sister}/feedback`, { signal: 'positive' })
  await record(me, 'GET', '/memory/graph')
  await record(me, 'GET', '/memory/clusters')
  await record(me, 'POST', '/memory/summarize', { memory_ids: [one.id, sister], lossless: true })
  const form = new FormData()
  form.set('file', new Blob(['The bicycle is under warranty until May 2031.']), 'note.txt')
  await record(me, 'POST', '/memory/upload', form)
  await record(me, 'DELETE', '/memory/forget', { memory_ids: [sister] })
  await record(me, 'GET', '/memory/ontology')
  await record(me, 'GET', '/memory/999999999')
  await record(me, 'GET', '/memory/nothing')
  await record(me, 'DELETE', '/memory/user/purge')
  await record(me, 'GET', '/memory/decisions')
  await record(me, 'POST', '/memory/search/routed', { query: 'What is her sister called?' })
  const other = me.as('asker')
  await other.add(text, { source: 'chat' })
  await record(other, 'POST', '/memory/query', { query: 'What response style does this user prefer?', k: 5 })
  await record(other, 'POST', '/memory/compose', { prompt_template: 'Be kind.\n{{memories}}' })
  await record(other, 'GET', '/memory/export')
  const written = `${JSON.stringify(exchanges, null, 2)}\n`
  await expect(written).toMatchFileSnapshot('../../fixtures/dialects/memory-sync/exchanges.json')
}, 120_000)
