import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memories } from '../../src/db/schema/memories.ts'
import { sharedGateway, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type Json, makeSyncCaller, type SyncCaller } from '../helpers/memory-sync.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const DAY_MS = 86_400_000
const idsOf = (rows: Json[]): number[] => rows.map(({ id }) => id)
const sorted = (numbers: number[]) => numbers.toSorted((one, other) => one - other)

/** Moves a memory into the past. */
function age(number: number, days: number) {
  const at = new Date(Date.now() - days * DAY_MS)
  return gateway.services.db
    .update(memories)
    .set({ createdAt: at, lastAccessedAt: null })
    .where(eq(memories.number, number))
}

describe('a query', () => {
  async function withThree() {
    const me = await makeSyncCaller(gateway)
    const old = await me.add('The harbour office opens at nine', { tags: ['a', 'b'], source: 'chat', importance: 0.1 })
    const fresh = await me.add('The harbour master likes pears', { tags: ['a'], source: 'mail', importance: 0.9 })
    await age(old.id, 90)
    const query = async (more: object) => {
      const { status, body } = await me.call('POST', '/memory/query', { query: 'harbour', ...more })
      expect(status, JSON.stringify(body)).toBe(200)
      return idsOf(body.memories)
    }
    return { me, old: old.id as number, fresh: fresh.id as number, query }
  }

  it('keeps to its filters', async () => {
    const { me, old, fresh, query } = await withThree()
    const { body: summary } = await me.call('POST', '/memory/summarize', { memory_ids: [old, fresh], lossless: true })
    expect(sorted(await query({}))).toEqual(sorted([old, fresh, summary.id]))
    expect(await query({ filters: { include_summaries: false, tags: ['a', 'b'] } })).toEqual([old])
    expect(sorted(await query({ filters: { tags: 'a', include_summaries: false } }))).toEqual([old, fresh])
    expect(await query({ filters: { source: 'mail' } })).toEqual([fresh])
    expect(sorted(await query({ filters: { sources: ['mail', 'chat'] } }))).toEqual([old, fresh])
    expect(await query({ filters: { memory_type: 'preference', include_summaries: false } })).toEqual([fresh])
    expect(await query({ filters: { memory_type: ['goal'] } })).toEqual([])
    const since = new Date(Date.now() - DAY_MS).toISOString()
    expect(await query({ filters: { since, include_summaries: false } })).toEqual([fresh])
    // Python writes no offset: it is UTC.
    expect(await query({ filters: { until: since.slice(0, 19) } })).toEqual([old])
    expect(await query({ filters: { since: '2020-01-01', until: since } })).toEqual([old])
  })

  it('keeps to the tier', async () => {
    const { me, old, fresh } = await withThree()
    const ask = (tier: string) => me.call('POST', '/memory/query', { query: 'harbour', filters: { tier } })
    expect(idsOf((await ask('cold')).body.memories)).toEqual([old])
    expect(idsOf((await ask('hot')).body.memories)).toContain(fresh)
    expect((await ask('tepid')).status).toBe(422)
  })

  it('weighs as it is told', async () => {
    const { old, fresh, query } = await withThree()
    expect(await query({ weights: { semantic: 0, importance: 1, recency: 0 } })).toEqual([fresh, old])
    expect((await query({ weights: { semantic: 0, importance: 0, recency: 1 } }))[0]).toBe(fresh)
    expect(await query({ k: 1 })).toHaveLength(1)
  })

  it('follows links as far as it is told, within its filters', async () => {
    const me = await makeSyncCaller(gateway)
    const [one, two, three] = [
      await me.add('The harbour office opens at nine'),
      await me.add('Pears are best in September', { tags: ['fruit'] }),
      await me.add('A cellar keeps them until spring'),
    ]
    for (const [from, to] of [
      [one, two],
      [two, three],
    ]) {
      const relation = { to_memory_id: to.id, relationship_type: 'extends' }
      expect((await me.call('POST', `/memory/${from.id}/relations`, relation)).status).toBe(201)
    }
    const query = async (more: object) => {
      const { body } = await me.call('POST', '/memory/query', { query: 'harbour', k: 1, ...more })
      return body.memories
    }
    expect(idsOf(await query({}))).toEqual([one.id])
    const steps = await query({ traversal_depth: 2 })
    expect(idsOf(steps)).toEqual([one.id, two.id, three.id])
    expect(steps.map(({ score }: Json) => score === null)).toEqual([false, true, true])
    expect(idsOf(await query({ traversal_depth: 1 }))).toEqual([one.id, two.id])
    expect(idsOf(await query({ traversal_depth: 3, filters: { tags: ['fruit'] } }))).not.toContain(three.id)
  })

  it('gives back the session that it names, and the memories as a text for a prompt', async () => {
    const { me } = await withThree()
    const { body } = await me.call('POST', '/memory/query', { query: 'pears', k: 1, session_id: 'conv-1' })
    expect(body).toMatchObject({
      session_id: 'conv-1',
      context: '- The harbour master likes pears',
      query_intent: null,
      latency_ms: expect.any(Number),
    })
    const none = await me.as('nobody').call('POST', '/memory/query', { query: 'pears' })
    expect(none.body).toMatchObject({ memories: [], context: null, session_id: null })
  })

  it.each([
    [{}, 'query'],
    [{ query: '  ' }, 'query'],
    [{ query: 'x', k: 0 }, 'k'],
    [{ query: 'x', k: 101 }, 'k'],
    [{ query: 'x', traversal_depth: 4 }, 'traversal_depth'],
    [{ query: 'x', filters: { since: 'yesterday' } }, 'filters'],
    [{ query: 'x', weights: { semantic: -1 } }, 'weights'],
  ])('refuses %j', async (body, field) => {
    const me = await makeSyncCaller(gateway)
    const answer = await me.call('POST', '/memory/query', body)
    expect(answer.status).toBe(422)
    expect(answer.body.detail[0].loc.slice(0, 2)).toEqual(['body', field])
  })
})

describe('forgetting', () => {
  async function withThree() {
    const me = await makeSyncCaller(gateway)
    const add = async (text: string, more: object): Promise<number> => (await me.add(text, more)).id
    const one = await add('The office opens at nine', { source: 'chat', event_type: 'note', tags: ['x', 'y'] })
    const two = await add('Pears are best in September', { source: 'mail', tags: ['x'] })
    const three = await add('A cellar keeps them until spring', { source: 'mail', event_type: 'note' })
    await age(one, 90)
    const forget = async (body: object) => (await me.call('DELETE', '/memory/forget', body)).body
    const left = async () => idsOf((await me.call('GET', '/memory/export')).body.memories)
    return { me, one, two, three, forget, left }
  }

  it('takes all that the filters say, and only says so on a dry run', async () => {
    const { one, two, three, forget, left } = await withThree()
    const dry = (filters: object) => forget({ filters, dry_run: true })
    expect(await dry({ source: 'mail' })).toEqual([two, three])
    expect(await dry({ source: 'mail', event_type: 'note' })).toEqual([three])
    expect(await dry({ tags: ['x', 'y'] })).toEqual([one])
    expect(await dry({ tier: 'cold' })).toEqual([one])
    expect(await dry({ before: new Date(Date.now() - DAY_MS).toISOString() })).toEqual([one])
    expect(await dry({ after: new Date(Date.now() - DAY_MS).toISOString() })).toEqual([two, three])
    expect(await left()).toEqual([one, two, three])
    expect(await forget({ filters: { source: 'mail' } })).toEqual([two, three])
    expect(await left()).toEqual([one])
    expect(await forget({ filters: { source: 'mail' } })).toEqual([])
  })

  it('takes ids, and leaves out those that are unknown', async () => {
    const { one, two, three, forget, left } = await withThree()
    expect(await forget({ memory_ids: [three, one, 2 ** 50], reason: 'asked to' })).toEqual([one, three])
    expect(await left()).toEqual([two])
  })

  it('names all that it took, also when they are many', async () => {
    const me = await makeSyncCaller(gateway)
    const made: number[] = []
    for (let batch = 0; batch < 3; batch++) {
      const items = Array.from({ length: 50 }, (_, index) => ({ text: `Entry ${batch * 50 + index} of the long log` }))
      const { body } = await me.call('POST', '/memory/bulk-add', { items, deduplicate: false })
      made.push(...body.results.flatMap(({ memory_ids }: Json) => memory_ids))
    }
    const filters = { before: new Date(Date.now() + DAY_MS).toISOString() }
    const dry = await me.call('DELETE', '/memory/forget', { filters, dry_run: true })
    expect(dry.body).toEqual(sorted(made))
    const { body } = await me.call('DELETE', '/memory/forget', { filters })
    expect(body).toEqual(sorted(made))
  }, 60_000)

  it.each([
    [{}],
    [{ filters: {} }],
    [{ filters: { unknown: 1 } }],
    [{ memory_ids: [] }],
    [{ memory_ids: [1], filters: { source: 'a' } }],
  ])('refuses %j', async (body) => {
    const me = await makeSyncCaller(gateway)
    expect((await me.call('DELETE', '/memory/forget', body)).status).toBe(422)
  })
})

describe('changing', () => {
  it('changes what may be changed, and writes it down', async () => {
    const me = await makeSyncCaller(gateway)
    const { id } = await me.add('The office opens at nine', { tags: ['a'], metadata: { a: 1 } })
    const change = { tags: ['b'], importance: 0.75, metadata: { b: 2 }, source: 'mail', event_type: 'note' }
    const { status, body } = await me.call('PATCH', `/memory/${id}`, { ...change, text: 'Something else' })
    expect([status, body]).toEqual([200, expect.objectContaining({ ...change, text: 'The office opens at nine' })])
    const history = await me.call('GET', `/memory/${id}/history?limit=1&offset=1`)
    expect(history.body).toMatchObject({ memory_id: id, total: 2, revisions: [{ revision: 1, event: 'updated' }] })
    expect(history.body.revisions[0].changed_fields.toSorted()).toEqual(Object.keys(change).toSorted())
    expect(history.body.revisions[0].diff.tags).toEqual({ old: ['a'], new: ['b'] })
    expect(history.body.tracked_fields).toContain('text')
    for (const empty of [{}, { text: 'Something else' }, { tags: null }]) {
      expect((await me.call('PATCH', `/memory/${id}`, empty)).status).toBe(422)
    }
  })

  it('changes several at once, and names those that it cannot see', async () => {
    const me = await makeSyncCaller(gateway)
    const [one, two] = [await me.add('The office opens at nine'), await me.add('Pears are best in September')]
    const theirs = await me.as('other').add('A cellar keeps them until spring')
    const items = [
      { memory_id: two.id, tags: ['x'], importance: 0.3 },
      { memory_id: theirs.id, tags: ['x'] },
      { memory_id: one.id, source: 'mail' },
    ]
    const { status, body } = await me.call('POST', '/memory/batch-update', { items })
    expect([status, body]).toEqual([
      207,
      {
        total: 3,
        updated: 2,
        not_found: 1,
        results: [
          { index: 0, memory_id: two.id, status: 'updated', changed_fields: ['importance', 'tags'] },
          { index: 1, memory_id: theirs.id, status: 'not_found', changed_fields: [] },
          { index: 2, memory_id: one.id, status: 'updated', changed_fields: ['source'] },
        ],
      },
    ])
    const many = Array.from({ length: 101 }, (_, index) => ({ memory_id: index + 1, tags: [] }))
    for (const wrong of [[], [{ memory_id: one.id }], [items[0], items[0]], many]) {
      expect((await me.call('POST', '/memory/batch-update', { items: wrong })).status).toBe(422)
    }
  })

  it('counts feedback, within its bounds', async () => {
    const me = await makeSyncCaller(gateway)
    const { id } = await me.add('The office opens at nine', { importance: 0.06 })
    const say = (signal: string) => me.call('POST', `/memory/${id}/feedback`, { signal })
    const first = await say('negative')
    expect(first.body).toMatchObject({
      memory_id: id,
      signal: 'negative',
      importance_after: 0.05,
      influenced_ranking: true,
    })
    expect((await say('negative')).body).toMatchObject({ adjustment: 0, influenced_ranking: false })
    expect((await say('positive')).body.summary).toMatchObject({
      total_signals: 3,
      signal_counts: { positive: 1, negative: 2, retrieved: 0, ignored: 0 },
    })
    expect((await say('indifferent')).status).toBe(422)
  })

  it('takes relations of the types that the project has', async () => {
    const me = await makeSyncCaller(gateway)
    const [one, two] = [await me.add('The office opens at nine'), await me.add('Pears are best in September')]
    const relate = (relationship_type: string, more: object = {}) =>
      me.call('POST', `/memory/${one.id}/relations`, { to_memory_id: two.id, relationship_type, ...more })
    const made = await relate('contradiction', { confidence: 0.4, metadata: { by: 'me' } })
    expect([made.status, made.body]).toEqual([
      201,
      {
        id: expect.any(Number),
        from_memory_id: one.id,
        to_memory_id: two.id,
        relationship_type: 'contradiction',
        confidence: 0.4,
        metadata: { by: 'me' },
        created_at: expect.any(String),
      },
    ])
    expect((await relate('contradiction')).status).toBe(409)
    expect((await relate('pairs_with')).body.detail[0].loc).toEqual(['body', 'relationship_type'])
    await me.call('PUT', '/memory/ontology', { relation_types: ['pairs_with'] })
    expect((await relate('pairs_with')).status).toBe(201)
    expect(
      (await me.call('POST', `/memory/${one.id}/relations`, { to_memory_id: one.id, relationship_type: 'similar' }))
        .status,
    ).toBe(422)
  })
})

describe('decisions', () => {
  it('are what denies, and what a relation says, until one side wins', async () => {
    const me = await makeSyncCaller(gateway)
    const add = async (text: string): Promise<number> => (await me.add(text)).id
    const [likes, hates] = [await add('She likes strong coffee'), await add('She does not like strong coffee')]
    const [lisbon, porto] = [await add('She lives in Lisbon now'), await add('She lives in Porto now')]
    const open = async () => {
      const { body } = await me.call('GET', '/memory/decisions')
      return body.decisions.map((one: Json) => [one.decision_id, one.detected_by, idsOf(one.memories)])
    }
    const coffee = [`${likes}-${hates}`, 'rules', [likes, hates]]
    expect(await open()).toEqual([coffee])
    await me.call('POST', `/memory/${porto}/relations`, { to_memory_id: lisbon, relationship_type: 'contradiction' })
    expect(await open()).toEqual([[`${lisbon}-${porto}`, 'caller', [lisbon, porto]], coffee])

    const resolve = (decision_id: string, winning_memory_id: number, as = me) =>
      as.call('POST', '/memory/decision/resolve', { decision_id, winning_memory_id })
    expect((await resolve(`${likes}-${hates}`, hates, me.as('other'))).status).toBe(404)
    expect((await resolve(`${likes}-${hates}`, porto)).status).toBe(422)
    expect((await resolve(`${likes}-${porto}`, porto)).status).toBe(422)
    expect((await resolve('nonsense', porto)).status).toBe(404)
    const done = await resolve(`${likes}-${hates}`, hates)
    expect([done.status, done.body]).toEqual([
      200,
      { status: 'resolved', decision_id: `${likes}-${hates}`, winning_memory_id: hates, archived_memory_id: likes },
    ])
    expect((await me.call('GET', `/memory/${likes}`)).status).toBe(404)
    expect((await resolve(`${lisbon}-${porto}`, porto)).status).toBe(200)
    expect(await open()).toEqual([])
  })
})

describe('the ontology', () => {
  it('has what every project has, and what it added, each kind on its own', async () => {
    const me = await makeSyncCaller(gateway)
    const put = (body: object) => me.call('PUT', '/memory/ontology', body)
    await put({ content_types: ['recipe', 'fact'], relation_types: ['pairs_with'] })
    const { body } = await put({ content_types: ['person'] })
    expect(body).toMatchObject({
      custom_content_types: ['person'],
      custom_relation_types: ['pairs_with'],
      max_custom_types: 32,
    })
    expect(body.content_types).toEqual([...body.builtin_content_types, 'person'])
    expect((await put({ relation_types: [] })).body.custom_relation_types).toEqual([])
    expect(
      (await me.call('GET', '/memory/ontology', undefined, { 'X-Project-ID': 'other' })).body.custom_content_types,
    ).toEqual([])
    const many = Array.from({ length: 33 }, (_, index) => `type_${index}`)
    expect((await put({ content_types: many.slice(1) })).status).toBe(200)
    for (const wrong of [{}, { content_types: many }, { content_types: ['Two words'] }, { content_types: [''] }]) {
      expect((await put(wrong)).status).toBe(422)
    }
  })

  it('is what memories may be, and be found as', async () => {
    const me = await makeSyncCaller(gateway)
    await me.call('PUT', '/memory/ontology', { content_types: ['recipe'] })
    const { id, memory_type } = await me.add('Risotto needs saffron and patience', { memory_type: 'recipe' })
    expect(memory_type).toBe('recipe')
    const { body } = await me.call('POST', '/memory/query', { query: 'risotto', filters: { memory_type: 'recipe' } })
    expect(idsOf(body.memories)).toEqual([id])
  })
})

describe('a file', () => {
  const upload = (
    me: SyncCaller,
    bytes: string | Uint8Array<ArrayBuffer>,
    name: string,
    fields: Record<string, string> = {},
  ) => {
    const form = new FormData()
    form.set('file', new Blob([bytes]), name)
    for (const [field, value] of Object.entries(fields)) form.set(field, value)
    return me.call('POST', '/memory/upload', form)
  }

  it('of plain text is a memory of that text, with the file', async () => {
    const me = await makeSyncCaller(gateway)
    const text = 'The bicycle is under warranty until May 2031.'
    const fields = { source: 'drive', metadata: '{"page":1}', unknown: 'x' }
    const { status, body } = await upload(me, text, 'note.txt', fields)
    expect([status, body]).toEqual([
      201,
      expect.objectContaining({ text, source: 'drive', metadata: { page: 1 }, event_type: 'upload' }),
    ])
    const [file] = body.attachments
    expect(file).toMatchObject({ name: 'note.txt', mime_type: 'text/plain', size: text.length })
    expect((await me.call('GET', file.url)).body).toBe(text)
    expect((await me.call('GET', `/memory/${body.id}`)).body.attachments).toEqual([file])
    const found = await me.call('POST', '/memory/query', { query: 'bicycle warranty' })
    expect(found.body.memories[0].attachments).toEqual([file])
    const again = await upload(me, text, 'copy.txt')
    expect([again.status, again.body]).toMatchObject([200, { status: 'skipped', memory_ids: [body.id] }])
    expect((await me.as('other').call('GET', file.url)).status).toBe(404)
  })

  it('of another type is a memory of its name, found by what it holds', async () => {
    const me = await makeSyncCaller(gateway)
    const page = '<!doctype html><title>Provisions</title><p>Forty jars of quince jam for the crossing.</p>'
    const { status, body } = await upload(me, page, 'provisions.html')
    expect([status, body.text, body.attachments[0].mime_type]).toEqual([201, 'provisions.html', 'text/html'])
    await expect
      .poll(async () => idsOf((await me.call('POST', '/memory/query', { query: 'quince jam' })).body.memories), {
        timeout: 10_000,
      })
      .toEqual([body.id])
  })

  it('that is empty, blank or says nothing is skipped; a type that is not taken is refused', async () => {
    const me = await makeSyncCaller(gateway)
    for (const [bytes, reason] of [
      ['', 'no_extractable_text'],
      [' \n ', 'no_extractable_text'],
      ['Thank you very much!', 'no_high_value_content'],
    ] as const) {
      const { status, body } = await upload(me, bytes, 'note.txt')
      expect([status, body.status, body.reason]).toEqual([200, 'skipped', reason])
    }
    expect((await upload(me, new Uint8Array([0, 1, 2, 3, 255, 0, 7]), 'x.bin')).status).toBe(415)
    const wrong = await upload(me, 'The bicycle is red', 'x.txt', { metadata: '{' })
    expect(wrong.body.detail[0].loc).toEqual(['body', 'metadata'])
    const none = await me.call('POST', '/memory/upload', new FormData())
    expect([none.status, none.body.detail?.[0]?.loc]).toEqual([422, ['body', 'file']])
    expect((await me.call('GET', '/memory/export')).body.memories).toEqual([])
  })

  it('goes to the end user that the form names, if no header does', async () => {
    const me = await makeSyncCaller(gateway)
    const { 'X-End-User-ID': _, ...headers } = me.headers
    const form = new FormData()
    form.set('end_user_id', 'somebody')
    form.set('file', new Blob(['The bicycle is under warranty until May 2031.']), 'note.txt')
    const response = await fetch(`${gateway.url}/memory/upload`, { method: 'POST', headers, body: form })
    expect(response.status).toBe(201)
    expect((await me.as('somebody').call('GET', '/memory/export')).body.memories).toHaveLength(1)
  })

  it('is repeated by its Idempotency-Key', async () => {
    const me = await makeSyncCaller(gateway)
    const send = () => {
      const form = new FormData()
      form.set('file', new Blob(['<!doctype html><p>Forty jars of quince jam.</p>']), 'jam.html')
      return me.call('POST', '/memory/upload', form, { 'Idempotency-Key': 'up-1' })
    }
    const [one, two] = [await send(), await send()]
    expect(two.body).toEqual(one.body)
    expect((await me.call('GET', '/memory/export')).body.memories).toHaveLength(1)
  })
})

describe('over a quota', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-plans-'))
  let limited: TestGateway

  beforeAll(async () => {
    const plans = join(dir, 'plans.json')
    writeFileSync(
      plans,
      JSON.stringify({
        two: { adds_per_month: 2 },
        three: { memories: 3 },
        one: { searches_per_day: 1 },
        slow: { requests_per_minute: 2 },
      }),
    )
    limited = await startGateway({ PLANS_FILE: plans })
  })

  afterAll(async () => {
    await limited?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const add = (me: SyncCaller, text: string, headers = {}) => me.call('POST', '/memory/add', { text }, headers)
  const expectSilent = ({ status, body, headers }: Json) => {
    expect([status, body, headers.get('x-quota-exceeded')]).toEqual([200, { status: 'ok' }, 'true'])
  }

  it('an add answers as if all were well, stores nothing, and comes before a look at the body', async () => {
    const me = await makeSyncCaller(limited, { plan: 'two' })
    const first = await add(me, 'The office opens at nine', { 'Idempotency-Key': 'a' })
    expect([first.status, first.headers.get('x-ratelimit-limit'), first.headers.get('x-ratelimit-remaining')]).toEqual([
      201,
      '2',
      '1',
    ])
    expect(first.headers.get('x-quota-exceeded')).toBeNull()
    // Neither a body that is refused nor one that was done before uses any of it.
    expect((await add(me, 'short')).status).toBe(422)
    expect((await add(me, 'The office opens at nine', { 'Idempotency-Key': 'a' })).status).toBe(201)
    expect((await add(me, 'Pears are best in September')).status).toBe(201)
    expectSilent(await add(me, 'A cellar keeps them until spring'))
    expectSilent(await add(me, 'short'))
    expectSilent(await me.call('POST', '/memory/bulk-add', { items: [{ text: 'A cellar keeps them until spring' }] }))
    expectSilent(await me.call('POST', '/memory/summarize', { memory_ids: [1] }))
    const form = new FormData()
    form.set('file', new Blob(['A cellar keeps them until spring']), 'note.txt')
    expectSilent(await me.call('POST', '/memory/upload', form))
    expect((await me.call('GET', '/memory/export')).body.memories).toHaveLength(2)
    // Who asks is told first who they are.
    expect((await me.call('POST', '/memory/add', {}, { 'X-API-Key': 'mgk_live_x' })).status).toBe(401)
  })

  it('a bulk that is more than is left stores nothing', async () => {
    const me = await makeSyncCaller(limited, { plan: 'two' })
    const items = ['The office opens at nine', 'Pears are best in September', 'A cellar keeps them until spring'].map(
      (text) => ({ text }),
    )
    expectSilent(await me.call('POST', '/memory/bulk-add', { items }))
    expect((await me.call('GET', '/memory/export')).body.memories).toHaveLength(0)
    const { body } = await me.call('POST', '/memory/bulk-add', { items: items.slice(1) })
    expect(body.created).toBe(2)
  })

  it('of memories, an add is as silent', async () => {
    const me = await makeSyncCaller(limited, { plan: 'three' })
    for (const text of ['The office opens at nine', 'Pears are best in September', 'A cellar keeps them until spring'])
      await me.add(text)
    expectSilent(await add(me, 'The roof was mended last autumn'))
    expect((await me.call('GET', '/memory/export')).body.memories).toHaveLength(3)
  })

  it('of searches, a query finds nothing, and what has no silent answer is refused', async () => {
    const me = await makeSyncCaller(limited, { plan: 'one' })
    await me.add('The office opens at nine')
    const query = () => me.call('POST', '/memory/query', { query: 'office' })
    expect((await query()).body.memories).toHaveLength(1)
    const over = await query()
    expect([over.status, over.body.memories, over.headers.get('x-quota-exceeded')]).toEqual([200, [], 'true'])
    const composed = await me.call('POST', '/memory/compose', { prompt_template: 'office' })
    expect([composed.status, composed.body.error.code]).toEqual([429, 'QUOTA_EXCEEDED'])
    expect(composed.headers.get('x-ratelimit-remaining')).toBe('0')
  })

  it('of requests, everything is refused for a while', async () => {
    const me = await makeSyncCaller(limited, { plan: 'slow' })
    const read = () => me.call('GET', '/memory/ontology')
    const statuses = [(await read()).status, (await read()).status]
    expect(statuses).toEqual([200, 200])
    const { status, body, headers } = await read()
    expect([status, body.error.code, headers.get('retry-after')]).toEqual([
      429,
      'RATE_LIMITED',
      String(body.error.retry_after),
    ])
    expect(body.error.retry_after).toBeGreaterThan(0)
    expect(body.error.retry_after).toBeLessThanOrEqual(60)
    expect((await add(me, 'The office opens at nine')).status).toBe(429)
  })
})
