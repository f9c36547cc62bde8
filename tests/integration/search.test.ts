import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, type FilePart, picture, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway } from '../helpers/gateway.ts'

let base: string
let user: TestUser

beforeAll(async () => {
  base = (await sharedGateway()).url
  user = await createUser(base)
})

interface Result {
  id: string
  session_id: string
  source_scope: string
  text: string
  score: number
  timestamp: number
  sources: { message_id: string }[]
  attachments: { name: string; url: string }[]
}

async function remember(text: string, session = 'chat:1', by = user, more: object = {}, at?: number) {
  const message = { role: 'user', content: text, ...(at !== undefined && { timestamp: at }) }
  const { status, body } = await by.post('/memories/add', { session_id: session, messages: [message], ...more })
  expect(status).toBe(200)
  expect((await by.post('/memories/flush', { session_id: session, ...more })).status).toBe(200)
  return body.message_ids[0] as string
}

async function search(query: string, more: object = {}, by = user): Promise<Result[]> {
  const { status, body } = await by.post('/memories/search', { query, ...more })
  expect(status, JSON.stringify(body)).toBe(200)
  return body.results
}

const sessions = (results: Result[]) => results.map(({ session_id }) => session_id).toSorted()

describe('the scope of a search', () => {
  beforeAll(async () => {
    user = await createUser(base)
    await remember('The heron in the first chat.', 'chat:one')
    await remember('The heron in the second chat.', 'chat:two')
    await remember('The heron of a session of another form.', 'daily')
    await user.addResource({ name: 'heron.txt', bytes: Buffer.from('The heron in a file.') })
  })

  it('current_chat covers one conversation, by conversation_id or session_id', async () => {
    const byConversation = await search('heron', { scope: ['current_chat'], conversation_id: 'one' })
    expect(sessions(byConversation)).toEqual(['chat:one'])
    expect(byConversation[0]?.source_scope).toBe('current_chat')
    expect(sessions(await search('heron', { scope: ['current_chat'], session_id: 'chat:two' }))).toEqual(['chat:two'])
    expect(sessions(await search('heron', { scope: ['current_chat'], session_id: 'daily' }))).toEqual(['daily'])
    expect(await search('heron', { scope: ['current_chat'], conversation_id: 'daily' })).toEqual([])
  })

  it('resources covers the files alone', async () => {
    const results = await search('heron', { scope: ['resources'] })
    expect(results).toMatchObject([{ source_scope: 'resources', attachments: [{ name: 'heron.txt' }] }])
  })

  it('all_user_memory covers everything, and is what a search without scope means', async () => {
    const results = await search('heron', { scope: ['all_user_memory'] })
    expect(results).toHaveLength(4)
    expect(new Set(results.map(({ source_scope }) => source_scope))).toEqual(new Set(['all_user_memory']))
    expect(sessions(await search('heron'))).toEqual(sessions(results))
  })

  it('of several covers each, and a hit of two shows once, as the most specific', async () => {
    const two = await search('heron', { scope: ['resources', 'current_chat'], conversation_id: 'one' })
    expect(two.map(({ source_scope }) => source_scope).toSorted()).toEqual(['current_chat', 'resources'])
    const scope = ['all_user_memory', 'resources', 'current_chat']
    const all = await search('heron', { scope, conversation_id: 'one' })
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    expect(all.map(({ session_id, source_scope }) => `${session_id.split(':')[0]} ${source_scope}`).toSorted()).toEqual(
      ['chat all_user_memory', 'chat current_chat', 'daily all_user_memory', 'resource resources'],
    )
  })

  it('of a conversation that is not there is empty', async () => {
    expect(await search('heron', { scope: ['current_chat'], conversation_id: 'none' })).toEqual([])
  })
})

describe('a search', () => {
  it('is bounded by top_k, best first', async () => {
    user = await createUser(base)
    const messages = Array.from({ length: 8 }, (_, index) => ({ role: 'user', content: `The ibis number ${index}.` }))
    await user.post('/memories/add', { session_id: 'chat:1', messages })
    await user.post('/memories/flush', { session_id: 'chat:1' })
    expect(await search('ibis')).toHaveLength(5)
    expect(await search('ibis', { top_k: 1 })).toHaveLength(1)
    const all = await search('ibis', { top_k: 100 })
    expect(all).toHaveLength(8)
    const scores = all.map(({ score }) => score)
    expect(scores).toEqual(scores.toSorted((one, other) => other - one))
  })

  it('leaves out what scores below min_score', async () => {
    user = await createUser(base)
    await remember('The stork and the crane and the stork.', 'chat:1')
    await remember('A crane.', 'chat:2')
    const [best, ...others] = await search('stork crane')
    expect(others.length).toBeGreaterThan(0)
    const results = await search('stork crane', { min_score: best!.score })
    expect(results.map(({ id }) => id)).toEqual([best!.id])
    expect(await search('stork crane', { min_score: best!.score + 1_000 })).toEqual([])
  })

  it('is bounded by from and to, as numbers or dates, inclusive', async () => {
    user = await createUser(base)
    const [early, late] = [Date.parse('2026-01-01T00:00:00Z'), Date.parse('2026-02-01T00:00:00Z')]
    await remember('An early egret.', 'chat:early', user, {}, early)
    await remember('A late egret.', 'chat:late', user, {}, late)
    expect(sessions(await search('egret', { from: late }))).toEqual(['chat:late'])
    expect(sessions(await search('egret', { to: early }))).toEqual(['chat:early'])
    expect(sessions(await search('egret', { from: '2026-01-01T00:00:00Z', to: '2026-01-31T23:00:00+02:00' }))).toEqual([
      'chat:early',
    ])
    expect(sessions(await search('egret', { from: early, to: late }))).toEqual(['chat:early', 'chat:late'])
    expect(await search('egret', { from: early + 1, to: late - 1 })).toEqual([])
  })

  it('finds as pending what is not flushed yet, and nothing by other words', async () => {
    user = await createUser(base)
    await user.addMessage('chat:1', 'The bittern booms.')
    expect(await search('bittern')).toMatchObject([{ text: 'The bittern booms.', pending: true }])
    await user.post('/memories/flush', { session_id: 'chat:1' })
    const flushed = await search('bittern')
    expect(flushed).toMatchObject([{ text: 'The bittern booms.', pending: false }])
    expect(await search('submarine')).toEqual([])
  })

  const refused: [string, object][] = [
    ['no query', {}],
    ['an empty query', { query: ' \n' }],
    ['a query that is no text', { query: 7 }],
    ['NUL in the query', { query: 'a\0' }],
    ['a lone surrogate in the query', { query: '\ud800' }],
    ['a query of 4097 characters', { query: 'a'.repeat(4_097) }],
    ['current_chat without conversation', { query: 'a', scope: ['current_chat'] }],
    ['conversation_id and session_id', { query: 'a', conversation_id: 'a', session_id: 'b' }],
    ['an unknown scope', { query: 'a', scope: ['everything'] }],
    ['an empty scope', { query: 'a', scope: [] }],
    ['a scope that is no array', { query: 'a', scope: 'resources' }],
    ['top_k 0', { query: 'a', top_k: 0 }],
    ['top_k 101', { query: 'a', top_k: 101 }],
    ['a fraction as top_k', { query: 'a', top_k: 1.5 }],
    ['from after to', { query: 'a', from: 2, to: 1 }],
    ['a date that is none', { query: 'a', from: 'yesterday' }],
    ['filters of its own', { query: 'a', filters: { user_id: 'x' } }],
    ['a sender_id', { query: 'a', sender_id: 'x' }],
  ]

  it.each(refused)('refuses %s', async (_what, body) => {
    const answer = await user.post('/memories/search', body)
    expect(answer).toMatchObject({ status: 422, body: { error: { code: 'invalid_request' } } })
  })
})

describe('what a hit came from', () => {
  it('is its own message and files, not those of the session', async () => {
    user = await createUser(base)
    const file = (field: string, kind: string, name: string, bytes: Uint8Array): FilePart & { kind: string } => ({
      field,
      kind,
      name,
      bytes,
    })
    const first = await user.addMessage('chat:1', 'The kingfisher at the brook.', [
      file('a', 'image', 'brook.png', picture),
    ])
    const second = await user.addMessage('chat:1', 'The nightjar at dusk.', [file('b', 'audio', 'dusk.wav', tone)])
    await user.post('/memories/flush', { session_id: 'chat:1' })
    const third = await user.addMessage('chat:1', 'The goshawk at noon.', [file('c', 'image', 'noon.png', picture)])
    await user.post('/memories/flush', { session_id: 'chat:1' })

    for (const [word, added, name] of [
      ['kingfisher', first, 'brook.png'],
      ['nightjar', second, 'dusk.wav'],
      ['goshawk', third, 'noon.png'],
    ] as const) {
      const [hit] = await search(word)
      expect(hit?.sources.map(({ message_id }) => message_id)).toEqual(added.body.message_ids)
      expect(hit?.attachments).toEqual([
        {
          attachment_id: added.body.attachments[0].attachment_id,
          type: added.body.attachments[0].type,
          name,
          mime_type: added.body.attachments[0].mime_type,
          size: added.body.attachments[0].size,
          url: `/attachments/${added.body.attachments[0].attachment_id}/content`,
          internal_uri: expect.stringMatching(/^(file:\/\/\/|s3:\/\/)/),
        },
      ])
      expect((await user.get(hit!.attachments[0]!.url)).status).toBe(200)
    }
  })

  it('has the files of a message in their order in it', async () => {
    user = await createUser(base)
    const names = ['d.png', 'b.png', 'e.png', 'a.png', 'c.png']
    const files = names.map((name) => ({ field: name, kind: 'image', name, bytes: picture }))
    await user.addMessage('chat:1', 'Five views of the lighthouse.', files)
    await user.post('/memories/flush', { session_id: 'chat:1' })
    const [hit] = await search('lighthouse')
    expect(hit?.attachments.map(({ name }) => name)).toEqual(names)
  })
})

describe('memories are kept apart', () => {
  it('between users who name everything alike', async () => {
    const [one, other] = [await createUser(base), await createUser(base)]
    await remember('The secret of one is cormorant.', 'chat:same', one)
    await remember('The secret of the other is gannet.', 'chat:same', other)
    await one.addResource({ name: 'same.txt', bytes: Buffer.from('The cormorant file.') }, { title: 'Same' })
    const everything = {
      scope: ['current_chat', 'resources', 'all_user_memory'],
      conversation_id: 'same',
      top_k: 100,
    }
    const ofOther = await search('secret cormorant gannet file same', everything, other)
    expect(ofOther).toHaveLength(1)
    expect(JSON.stringify(ofOther)).toContain('gannet')
    expect(JSON.stringify(ofOther)).not.toContain('cormorant')
    const ofOne = await search('secret cormorant gannet', everything, one)
    expect(JSON.stringify(ofOne)).not.toContain('gannet')
    expect(ofOne).toHaveLength(2)
  })

  it('between apps and projects of one user', async () => {
    user = await createUser(base)
    const spaces = [{}, { app_id: 'mail' }, { project_id: 'p' }, { app_id: 'mail', project_id: 'p' }]
    for (const [index, space] of spaces.entries()) await remember(`The puffin number ${index}.`, 'chat:1', user, space)
    for (const [index, space] of spaces.entries()) {
      const results = await search('puffin', {
        ...space,
        scope: ['current_chat', 'all_user_memory'],
        conversation_id: '1',
      })
      expect(results).toHaveLength(1)
      expect(results[0]?.text).toContain(`number ${index}`)
    }
    expect(await search('puffin', { app_id: 'other' })).toEqual([])
  })

  it('between a user named like the upper case of another', async () => {
    const id = `Case_${user.id}`
    const [one, other] = [await createUser(base, id), await createUser(base, id.toLowerCase())]
    await remember('The avocet of the first.', 'chat:1', one)
    expect(await search('avocet', {}, other)).toEqual([])
    expect((await other.get('/sessions/chat%3A1/messages')).status).toBe(404)
  })
})
