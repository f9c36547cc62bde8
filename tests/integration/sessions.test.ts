import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, picture, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { objectKeys, rowsOf } from '../helpers/stored.ts'

let gateway: TestGateway
let user: TestUser

beforeAll(async () => {
  gateway = await sharedGateway()
  user = await createUser(gateway.url)
})

interface Row {
  session_id: string
}

const path = (session: string) => `/sessions/${encodeURIComponent(session)}`

function add(session: string, texts: readonly string[], more: object = {}, by = user) {
  const messages = texts.map((content) => ({ role: 'user', content, ...more }))
  return by.post('/memories/add', { session_id: session, messages })
}

async function sessionOf(session: string, by = user) {
  const { status, body } = await by.get('/sessions?limit=200')
  expect(status).toBe(200)
  return body.sessions.find(({ session_id }: Row) => session_id === session)
}

describe('GET /sessions', () => {
  it('counts messages, files, and what no extraction covers', async () => {
    const image = { field: 'i', kind: 'image', name: 'p.png', bytes: picture }
    const audio = { field: 'a', kind: 'audio', name: 't.wav', bytes: tone }
    await user.addMessage('chat:counts', 'One.', [image, audio])
    await add('chat:counts', ['Two.'])
    expect(await sessionOf('chat:counts')).toEqual({
      session_id: 'chat:counts',
      kind: 'chat',
      message_count: 2,
      attachment_count: 2,
      pending_messages: 2,
      created_at: expect.any(String),
      last_activity_at: expect.any(String),
    })
    await user.post('/memories/flush', { session_id: 'chat:counts' })
    expect(await sessionOf('chat:counts')).toMatchObject({ message_count: 2, pending_messages: 0 })
    await add('chat:counts', ['Three.'])
    expect(await sessionOf('chat:counts')).toMatchObject({ message_count: 3, pending_messages: 1 })
  })

  it('lists a resource as a session of its own kind', async () => {
    const { body } = await user.addResource({ name: 'a.txt', bytes: Buffer.from('x') })
    expect(await sessionOf(body.session_id)).toMatchObject({ kind: 'resource', message_count: 1, attachment_count: 1 })
  })

  it('pages the most recently active first, without a row twice or missing', async () => {
    const lister = await createUser(gateway.url)
    for (let index = 0; index < 7; index++) await add(`chat:${index}`, ['x'], {}, lister)
    await add('chat:2', ['y'], {}, lister)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const query: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
      const { status, body } = await lister.get(`/sessions?limit=3${query}`)
      expect(status).toBe(200)
      seen.push(...body.sessions.map(({ session_id }: Row) => session_id))
      cursor = body.next_cursor
    } while (cursor)
    expect(seen).toEqual([2, 6, 5, 4, 3, 1, 0].map((index) => `chat:${index}`))
  })

  it('lists those of the app and project asked for', async () => {
    const lister = await createUser(gateway.url)
    const message = { role: 'user', content: 'x' }
    await lister.post('/memories/add', { session_id: 'chat:1', app_id: 'mail', messages: [message] })
    expect((await lister.get('/sessions')).body).toEqual({ sessions: [], next_cursor: null })
    expect((await lister.get('/sessions?app_id=mail')).body.sessions).toHaveLength(1)
  })

  it.each(['limit=0', 'limit=201', 'limit=x', 'cursor=x', 'app_id=a/b', 'sort=up'])('refuses ?%s', async (query) => {
    expect((await user.get(`/sessions?${query}`)).status).toBe(422)
  })
})

describe('GET /sessions/{session_id}/messages', () => {
  it('lists messages as they were given, with their files and state', async () => {
    const at = 1_700_000_000_000
    const { body: added } = await user.addMessage(
      'chat:shown',
      'Look.',
      [{ field: 'i', kind: 'image', name: 'p.png', bytes: picture }],
      at,
    )
    const { status, body } = await user.get(`${path('chat:shown')}/messages`)
    expect(status).toBe(200)
    const [file] = added.attachments
    const { sha256: _, ...shown } = file
    expect(body).toEqual({
      session_id: 'chat:shown',
      messages: [
        {
          message_id: added.message_ids[0],
          role: 'user',
          sender_id: user.id,
          timestamp: at,
          content: [
            { type: 'text', text: 'Look.' },
            { ...shown, url: `/attachments/${file.attachment_id}/content` },
          ],
          state: 'accumulated',
          created_at: expect.any(String),
        },
      ],
      next_cursor: null,
    })
    await user.post('/memories/flush', { session_id: 'chat:shown' })
    expect((await user.get(`${path('chat:shown')}/messages`)).body.messages[0].state).toBe('extracted')
  })

  it('keeps the order in which they were added, whatever their times', async () => {
    const reader = await createUser(gateway.url)
    await add('chat:order', ['1', '2', '3'], { timestamp: 5_000 }, reader)
    await add('chat:order', ['4'], { timestamp: 1_000 }, reader)
    await add('chat:order', ['5', '6'], {}, reader)
    await add('chat:order', ['7'], { timestamp: 5_000 }, reader)
    const texts: string[] = []
    let cursor: string | null = null
    do {
      const query: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
      const { body } = await reader.get(`${path('chat:order')}/messages?limit=2${query}`)
      texts.push(...body.messages.map(({ content }: { content: [{ text: string }] }) => content[0].text))
      cursor = body.next_cursor
    } while (cursor)
    expect(texts).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  })

  it.each(['chat:图片/…?#', 'a b', '%2e%2e', 'résumé', "'; drop table sessions; --", '__proto__'])(
    'finds a session named %s',
    async (name) => {
      expect((await add(name, ['x'])).status).toBe(200)
      const { status, body } = await user.get(`${path(name)}/messages`)
      expect(status).toBe(200)
      expect(body.session_id).toBe(name)
    },
  )

  it.each(['.', '..'])('has no session named %s, which no URL can name', async (name) => {
    expect((await add(name, ['x'])).status).toBe(422)
  })

  it('knows no session that got no message', async () => {
    expect((await user.get(`${path('chat:never')}/messages`)).status).toBe(404)
    expect((await user.post('/memories/flush', { session_id: 'chat:never' })).status).toBe(404)
  })
})

describe('POST /memories/flush', () => {
  it('extracts once, then has nothing to extract', async () => {
    await add('chat:flush', ['The owl.'])
    const first = await user.post('/memories/flush', { session_id: 'chat:flush' })
    expect(first.body).toEqual({
      session_id: 'chat:flush',
      backend: { request_id: expect.stringMatching(/./), data: { status: 'extracted' } },
    })
    const second = await user.post('/memories/flush', { session_id: 'chat:flush' })
    expect(second.body.backend.data.status).toBe('no_extraction')
  })

  it.each([{}, { session_id: '' }, { session_id: 'resource:a:b' }, { session_id: 'chat:1', all: true }])(
    'refuses %j',
    async (body) => {
      expect((await user.post('/memories/flush', body)).status).toBe(422)
    },
  )
})

describe('DELETE /sessions/{session_id}', () => {
  it('removes its messages, files and memories, and frees its name', async () => {
    const owner = await createUser(gateway.url)
    const stored = objectKeys(gateway)
    const { body: added } = await owner.addMessage('chat:gone', 'The pangolin sleeps.', [
      { field: 'i', kind: 'image', name: 'p.png', bytes: picture },
    ])
    await owner.post('/memories/flush', { session_id: 'chat:gone' })
    const query = { query: 'pangolin', conversation_id: 'gone', scope: ['current_chat', 'all_user_memory'] }
    expect((await owner.post('/memories/search', query)).body.results).toHaveLength(1)

    expect((await owner.delete(path('chat:gone'))).status).toBe(204)
    expect((await owner.get(`${path('chat:gone')}/messages`)).status).toBe(404)
    expect((await owner.get(`/attachments/${added.attachments[0].attachment_id}/content`)).status).toBe(404)
    expect((await owner.post('/memories/search', query)).body.results).toEqual([])
    expect((await owner.delete(path('chat:gone'))).status).toBe(404)
    expect(objectKeys(gateway)).toEqual(stored)
    expect(await rowsOf(gateway, owner)).toMatchObject({ messages: 0, attachments: 0, batches: 0 })

    await add('chat:gone', ['The tapir wakes.'], {}, owner)
    await owner.post('/memories/flush', { session_id: 'chat:gone' })
    expect((await owner.post('/memories/search', query)).body.results).toEqual([])
    const { body } = await owner.post('/memories/search', { ...query, query: 'tapir' })
    expect(body.results).toHaveLength(1)
    expect((await owner.get(`${path('chat:gone')}/messages`)).body.messages).toHaveLength(1)
  })

  it('leaves sessions of the same name in other projects', async () => {
    const owner = await createUser(gateway.url)
    for (const project_id of ['one', 'two']) {
      await owner.post('/memories/add', {
        session_id: 'chat:1',
        project_id,
        messages: [{ role: 'user', content: 'x' }],
      })
    }
    expect((await owner.delete(`${path('chat:1')}?project_id=one`)).status).toBe(204)
    expect((await owner.get(`${path('chat:1')}/messages?project_id=one`)).status).toBe(404)
    expect((await owner.get(`${path('chat:1')}/messages?project_id=two`)).status).toBe(200)
  })
})
