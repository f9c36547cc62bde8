import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { MemoryBackend, MemoryHit } from '../../src/ports/memory-backend.ts'
import { type AwayBackend, newestSession, relayQueued, startAwayBackend } from '../helpers/away-backend.ts'
import { createUser, picture, type TestUser, tone } from '../helpers/client.ts'
import type { EverosFault } from '../helpers/fake-everos.ts'
import { sessionsOf } from '../helpers/stored.ts'

// A backend that finds nothing before it has extracted: the gateway's own records say the rest.

let backend: AwayBackend
let user: TestUser
let everos: MemoryBackend

beforeAll(async () => {
  // Long enough for a busy machine: nothing here is about time.
  backend = await startAwayBackend({
    RELAY_WAIT_MS: '20000',
    BACKEND_SEARCH_TIMEOUT_MS: '15000',
    BACKEND_ADD_TIMEOUT_MS: '15000',
  })
  everos = backend.gateway.services.backend
})
afterAll(() => backend.close())
beforeEach(async () => {
  user = await createUser(backend.gateway.url)
})
afterEach(() => {
  Object.assign(backend.gateway.services, { backend: everos })
})

interface Result {
  id: string
  session_id: string
  source_scope: string
  text: string
  score: number
  pending: boolean
  speaker?: string
  timestamp: number
  explanation?: Record<string, number>
  sources: { message_id: string; attachment_id?: string; page?: number }[]
  attachments: { attachment_id: string; name: string }[]
}

async function search(query: string, more: object = {}, by = user): Promise<Result[]> {
  const { status, body } = await by.post('/memories/search', { query, ...more })
  expect(status, JSON.stringify(body)).toBe(200)
  return body.results
}

const texts = (results: Result[]) => results.map(({ text }) => text)
const flush = (session: string) => user.post('/memories/flush', { session_id: session })
const away: EverosFault = { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' }

/** The same gateway with another way to search. */
function answerWith(hits: readonly MemoryHit[]): void {
  const { services } = backend.gateway
  Object.assign(services, {
    backend: {
      ...everos,
      search: () => Promise.resolve({ hits, method: 'backend' as const }),
    },
  })
}

describe('what the backend has not extracted', () => {
  it('is found as pending, with its message and files, until it is', async () => {
    const photo = { field: 'f', kind: 'image', name: 'bittern.png', bytes: picture, type: 'image/png' }
    const { body } = await user.addMessage('chat:1', 'The bittern booms in the reeds.', [photo])
    const [hit, ...others] = await search('Where does the bittern boom?')
    expect(others).toEqual([])
    expect(hit).toMatchObject({
      id: expect.stringMatching(/^mem_[0-9a-f]{32}$/),
      session_id: 'chat:1',
      source_scope: 'all_user_memory',
      text: 'The bittern booms in the reeds.\nbittern.png',
      facts: [],
      pending: true,
      speaker: user.id,
      sources: [{ message_id: body.message_ids[0] }],
      attachments: [{ attachment_id: body.attachments[0].attachment_id, name: 'bittern.png' }],
    })
    expect((await search('bittern.png'))[0]?.id).toBe(hit?.id)
    expect((await flush('chat:1')).status).toBe(200)
    const flushed = await search('bittern')
    expect(flushed).toHaveLength(1)
    expect(flushed[0]).toMatchObject({ pending: false, sources: [{ message_id: body.message_ids[0] }] })
    await user.addMessage('chat:1', 'A second bittern answers.')
    expect(new Set((await search('bittern answers')).map(({ pending }) => pending))).toEqual(new Set([false, true]))
  })

  it.each([
    ['Chinese', '我每个周末都去西湖边跑步', '西湖跑步'],
    ['other forms of a word', 'We were hiking', 'hikes'],
  ])('is found by %s', async (_what, said, asked) => {
    await user.addMessage('chat:1', said)
    expect(texts(await search(asked))).toEqual([said])
  })

  it('needs more than one common word of many', async () => {
    await user.addMessage('chat:1', 'The observatory opens at nine.')
    await user.addMessage('chat:1', 'The shop opens at ten.')
    const query = 'When does the observatory on the northern hill beyond the harbour open for visitors with children?'
    expect(texts(await search(query))).toEqual(['The observatory opens at nine.'])
    expect(await search('shop opens', { min_score: 0.99 })).toEqual([])
  })

  it('keeps to the scope, the conversation and the times that were asked for', async () => {
    await user.addMessage('chat:one', 'The heron of May.', [], Date.parse('2026-05-01T12:00:00Z'))
    await user.addMessage('chat:two', 'The heron of June.', [], Date.parse('2026-06-01T12:00:00Z'))
    const here = { scope: ['current_chat'], conversation_id: 'one' }
    expect(await search('heron', here)).toMatchObject([{ text: 'The heron of May.', source_scope: 'current_chat' }])
    expect(await search('heron', { scope: ['resources'] })).toEqual([])
    expect(texts(await search('heron', { from: '2026-05-15T00:00:00Z' }))).toEqual(['The heron of June.'])
    expect(texts(await search('heron', { to: '2026-05-15T00:00:00Z' }))).toEqual(['The heron of May.'])
    expect(await search('heron', { project_id: 'another' })).toEqual([])
    expect(await search('heron', { top_k: 1 })).toHaveLength(1)
  })

  it('is nobody else’s, and nobody’s once it is deleted', async () => {
    const other = await createUser(backend.gateway.url)
    await user.addMessage('chat:1', 'The heron nests here.')
    await other.addMessage('chat:1', 'The heron nests there.')
    expect(texts(await search('heron'))).toEqual(['The heron nests here.'])
    expect(texts(await search('heron', {}, other))).toEqual(['The heron nests there.'])
    expect((await user.delete('/sessions/chat:1')).status).toBeLessThan(300)
    expect(await search('heron')).toEqual([])
    expect(texts(await search('heron', {}, other))).toEqual(['The heron nests there.'])
  })

  it('is ranked with what the backend finds: in turn, with the scores of that order', async () => {
    for (const number of [1, 2]) {
      await user.addMessage(`chat:${number}`, `The heron number ${number}.`)
      await flush(`chat:${number}`)
    }
    await user.addMessage('chat:3', 'The heron number 3.')
    await user.addMessage('chat:4', 'A remark on a heron, a pond, and much else besides that.')
    const results = await search('heron', { explain: true })
    expect(results.map(({ pending }) => pending)).toEqual([false, true, false, true])
    expect(results[1]?.text).toBe('The heron number 3.')
    const scores = results.map(({ score }) => score)
    expect(scores).toEqual([1 / 61, 1 / 61, 1 / 62, 1 / 62])
    expect(results[1]?.explanation).toEqual({ words: expect.any(Number), fused: 1 / 61 })
    expect((await search('heron'))[1]).not.toHaveProperty('explanation')
    expect(await search('heron', { top_k: 3 })).toHaveLength(3)
  })

  it('is no more than the newest of it, and reads no text to its end', async () => {
    const long = `The first word is heron. ${'x '.repeat(3_000)} The last word is stork.`
    await user.addMessage('chat:long', long)
    expect(await search('stork')).toEqual([])
    expect((await search('heron'))[0]?.text.length).toBeLessThan(2_100)
    for (let batch = 0; batch < 4; batch++) {
      const messages = Array.from({ length: 100 }, (_, index) => ({
        role: 'user',
        content: batch === 0 && index === 0 ? 'The crane is old.' : `Filler ${index}.`,
      }))
      const { status } = await user.post('/memories/add', { session_id: 'chat:many', messages })
      expect(status).toBe(200)
    }
    expect(await search('crane')).toEqual([])
  })
})

describe('what the backend has not taken', () => {
  it('is found while it waits, once, and still when it was given up', async () => {
    backend.fake.failNext('add', away)
    expect((await user.addMessage('chat:1', 'The dunlin runs.')).status).toBe(202)
    expect(await search('dunlin')).toMatchObject([{ pending: true, session_id: 'chat:1' }])
    await relayQueued(backend, user)
    await flush('chat:1')
    expect(await search('dunlin')).toMatchObject([{ pending: false }])

    backend.fake.failNext('add', { status: 422, code: 'INVALID' })
    const { status } = await user.addMessage('chat:2', 'The whimbrel whistles.')
    expect(status).toBeGreaterThanOrEqual(400)
    expect(await search('whimbrel')).toEqual([])
  })

  it('is found also where the backend finds what is not flushed', async () => {
    const { services } = backend.gateway
    Object.assign(services, { backend: { ...everos, findsUnflushed: true, search: everos.search.bind(everos) } })
    await user.addMessage('chat:1', 'The taken dunlin.')
    expect(await search('dunlin')).toEqual([])
    backend.fake.failNext('add', away)
    expect((await user.addMessage('chat:2', 'The waiting dunlin.')).status).toBe(202)
    expect(texts(await search('dunlin'))).toEqual(['The waiting dunlin.'])
    await relayQueued(backend, user)
  })

  it('is not shown beside a hit that names it', async () => {
    backend.fake.failNext('add', away)
    await user.addMessage('chat:1', 'The dunlin runs.')
    const hit = await hitOf()
    answerWith([{ ...hit, sources: [{ sessionId: hit.sessionId, timestamp: await sentAt('chat:1') }] }])
    expect(await search('dunlin')).toMatchObject([{ text: hit.text, pending: false }])
    answerWith([hit].slice(1))
    expect(await search('dunlin')).toMatchObject([{ text: 'The dunlin runs.', pending: true }])
    Object.assign(backend.gateway.services, { backend: everos })
    await relayQueued(backend, user)
  })
})

/** A hit in the user's newest session. */
async function hitOf(more: Partial<MemoryHit> = {}): Promise<MemoryHit> {
  const { upstreamSessionId, scopeId } = await newestSession(backend, user)
  const scope = await backend.gateway.services.db.query.scopes.findFirst({
    where: (row, { eq }) => eq(row.id, scopeId),
  })
  return {
    id: 'hit',
    projectId: scope?.upstreamProjectId ?? '',
    senderId: scope?.upstreamSenderId ?? '',
    sessionId: upstreamSessionId,
    text: 'What the backend made of it.',
    facts: [],
    score: 0.7,
    timestamp: Date.now(),
    ...more,
  }
}

/** Upstream timestamp of the only message of a session. */
async function sentAt(session: string, by = user): Promise<number> {
  const rows = await sessionsOf(backend.gateway, by)
  const row = rows.find(({ externalId }) => externalId === session)
  const sent = await backend.gateway.services.db.query.messages.findFirst({
    where: (message, { eq }) => eq(message.sessionId, row?.id ?? ''),
  })
  return sent?.upstreamTimestamp ?? 0
}

describe('sources that the backend names', () => {
  const file = { field: 'f', kind: 'image', name: 'heron.png', bytes: picture, type: 'image/png' }
  const sound = { field: 's', kind: 'audio', name: 'heron.wav', bytes: tone, type: 'audio/wav' }

  it('give messages and files of several sessions, in their order, with the places in those files', async () => {
    const one = await user.addMessage('chat:1', 'One.', [file])
    const two = await user.addMessage('chat:2', 'Two.', [sound])
    for (const session of ['chat:1', 'chat:2']) await flush(session)
    const rows = await sessionsOf(backend.gateway, user)
    const named = (name: string) => rows.find(({ externalId }) => externalId === name)?.upstreamSessionId ?? ''
    const sha256 = one.body.attachments[0].sha256 as string
    const first = { sessionId: named('chat:1'), timestamp: await sentAt('chat:1') }
    const second = { sessionId: named('chat:2'), timestamp: await sentAt('chat:2') }
    const sources = [
      { ...second, place: { sha256, page: 4 } },
      { ...first, place: { sha256, page: 3 } },
      { ...first, place: { sha256, sheet: 'Costs' } },
      { ...first, place: { sha256, page: 3 } },
    ]
    answerWith([await hitOf({ sources })])
    const [hit] = await search('anything')
    const [photo, recording] = [one.body.attachments[0].attachment_id, two.body.attachments[0].attachment_id]
    expect(hit?.sources).toEqual([
      { message_id: two.body.message_ids[0], sender_id: user.id, timestamp: expect.any(Number) },
      {
        message_id: one.body.message_ids[0],
        sender_id: user.id,
        timestamp: expect.any(Number),
        attachment_id: photo,
        page: 3,
      },
      {
        message_id: one.body.message_ids[0],
        sender_id: user.id,
        timestamp: expect.any(Number),
        attachment_id: photo,
        sheet: 'Costs',
      },
    ])
    expect(new Set(hit?.attachments.map(({ attachment_id }) => attachment_id))).toEqual(new Set([photo, recording]))
  })

  it('are dropped with an alarm where they are not the caller’s, or not covered, and a hit that has no other with them', async () => {
    const other = await createUser(backend.gateway.url)
    await other.addMessage('chat:1', 'Not yours.', [file])
    const theirs = (await sessionsOf(backend.gateway, other)).at(-1)?.upstreamSessionId ?? ''
    const foreign = { sessionId: theirs, timestamp: await sentAt('chat:1', other) }
    await user.addMessage('chat:2', 'Elsewhere.', [sound])
    const elsewhere = { sessionId: (await hitOf()).sessionId, timestamp: await sentAt('chat:2') }
    const { body } = await user.addMessage('chat:1', 'Mine.')
    const hit = await hitOf()
    const own = { sessionId: hit.sessionId, timestamp: await sentAt('chat:1') }
    answerWith([
      { ...hit, id: 'a', sources: [foreign, elsewhere, own, { sessionId: 'nobody-knows', timestamp: 1 }] },
      { ...hit, id: 'b', sources: [foreign] },
    ])
    const { services } = backend.gateway
    const dropped: string[] = []
    const { events } = services
    Object.assign(services, {
      events: { ...events, hitDropped: (_reason: string, { sessionId }: MemoryHit) => dropped.push(sessionId) },
    })
    const results = await search('zebra', { scope: ['current_chat'], conversation_id: '1' }).finally(() =>
      Object.assign(services, { events }),
    )
    expect(results.map(({ sources }) => sources.map(({ message_id }) => message_id))).toEqual([body.message_ids])
    expect(results[0]?.attachments).toEqual([])
    expect(dropped).toEqual([theirs, elsewhere.sessionId, 'nobody-knows', theirs])
    // Asked for everything, the other session of the caller's is covered.
    const all = await search('zebra')
    expect(all[0]?.attachments).toMatchObject([{ name: 'heron.wav' }])
  })

  it('are not shown of a session that is being deleted', async () => {
    await user.addMessage('chat:1', 'Gone.', [file])
    const gone = { sessionId: (await hitOf()).sessionId, timestamp: await sentAt('chat:1') }
    await user.delete('/sessions/chat:1')
    const { body } = await user.addMessage('chat:2', 'Kept.')
    const hit = await hitOf()
    const kept = { sessionId: hit.sessionId, timestamp: await sentAt('chat:2') }
    answerWith([
      { ...hit, id: 'a', sources: [gone, kept] },
      { ...hit, id: 'b', sources: [gone] },
    ])
    const results = await search('zebra')
    expect(results).toMatchObject([{ sources: [{ message_id: body.message_ids[0] }], attachments: [] }])
  })

  it('of facts: names the newer one as the search does', async () => {
    await user.addMessage('chat:1', 'I live in Oslo.')
    await flush('chat:1')
    const fact = { type: 'fact', confidence: 0.9 } as const
    answerWith([
      await hitOf({ id: 'new', fact: { ...fact, occurredAt: 1_000 } }),
      await hitOf({ id: 'old', fact: { ...fact, supersededBy: 'new' } }),
    ])
    const [newer, older] = (await search('zebra')) as unknown as { id: string; fact: object }[]
    expect(newer?.fact).toEqual({ ...fact, occurred_at: 1_000 })
    expect(older?.fact).toEqual({ ...fact, superseded_by: newer?.id })
  })
})
