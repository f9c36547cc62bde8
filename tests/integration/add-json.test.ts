import { beforeEach, describe, expect, it } from 'vitest'
import { call, createUser, picture, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

let gateway: TestGateway
let user: TestUser

beforeEach(async () => {
  gateway = await sharedGateway()
  user = await createUser(gateway.url)
})

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const say = (content: unknown, more: object = {}) => [{ role: 'user', content, ...more }]
const add = (messages: unknown, more: object = {}) =>
  user.post('/memories/add', { session_id: 'chat:1', messages, ...more })

describe('POST /memories/add', () => {
  it('keeps text as a string and as items, of every role', async () => {
    const messages = [
      { role: 'user', sender_id: user.id, sender_name: 'Ada', timestamp: 1_700_000_000_000, content: 'Call her.' },
      { role: 'assistant', content: 'Calling.', tool_calls: [{ id: 'call_1', function: { name: 'call' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'No answer.' }] },
    ]
    const { status, body } = await add(messages)
    expect(status).toBe(200)
    expect(body).toEqual({
      session_id: 'chat:1',
      backend: { request_id: expect.any(String), data: { message_count: 3, status: 'accumulated' } },
      message_ids: Array.from({ length: 3 }, () => expect.stringMatching(/^msg_/)),
      attachments: [],
    })
    const { body: page } = await user.get('/sessions/chat%3A1/messages')
    expect(page.messages).toMatchObject([
      {
        role: 'user',
        sender_id: user.id,
        sender_name: 'Ada',
        timestamp: 1_700_000_000_000,
        content: [{ text: 'Call her.' }],
      },
      { role: 'assistant', sender_id: 'assistant', tool_calls: messages[1]?.tool_calls },
      { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'No answer.' }] },
    ])
  })

  it('stores inline base64 files like uploads', async () => {
    const content = [
      { type: 'text', text: 'Both.' },
      { type: 'image', base64: base64(picture), name: 'shapes.png', ext: 'png' },
      { type: 'audio', base64: base64(tone) },
    ]
    const { status, body } = await add(say(content))
    expect(status).toBe(200)
    expect(body.attachments).toMatchObject([
      { upload_id: 'image_1', type: 'image', name: 'shapes.png', mime_type: 'image/png', size: picture.length },
      { upload_id: 'audio_2', type: 'audio', mime_type: 'audio/wav', size: tone.length },
    ])
    const url = `${user.base}/attachments/${body.attachments[0].attachment_id}/content`
    const original = await fetch(url, { headers: { authorization: `Bearer ${user.key}` } })
    expect(new Uint8Array(await original.arrayBuffer())).toEqual(picture)
  })

  it('takes the key in the body', async () => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ user_id: user.id, user_key: user.key, session_id: 'chat:1', messages: say('Hello') })
    expect((await call(`${user.base}/memories/add`, { method: 'POST', headers, body })).status).toBe(200)
  })

  const image = base64(picture)
  const refused: [string, number, unknown, object?][] = [
    ['base64 with a data: prefix', 422, say([{ type: 'image', base64: `data:image/png;base64,${image}` }])],
    ['base64url', 422, say([{ type: 'image', base64: '_-8=' }])],
    ['base64 without padding', 422, say([{ type: 'image', base64: 'AAA' }])],
    ['base64 with spaces', 422, say([{ type: 'image', base64: 'AAAA AAAA' }])],
    ['base64 with padding in the middle', 422, say([{ type: 'image', base64: `${'A'.repeat(65_532)}AA==AAAA` }])],
    ['empty base64', 422, say([{ type: 'image', base64: '' }])],
    ['an item with no file at all', 422, say([{ type: 'image' }])],
    ['a uri', 422, say([{ type: 'image', uri: 'http://127.0.0.1:1/a.png' }])],
    ['a file: uri beside base64', 422, say([{ type: 'image', base64: image, uri: 'file:///etc/passwd' }])],
    ['an upload_id', 422, say([{ type: 'image', upload_id: 'image_1' }])],
    ['a picture sent as sound', 415, say([{ type: 'audio', base64: image }])],
    ['an unsupported file', 415, say([{ type: 'doc', base64: base64(Buffer.from([0, 1, 2, 3])) }])],
    [
      'a good file before a bad one',
      415,
      say([
        { type: 'image', base64: image },
        { type: 'audio', base64: image },
      ]),
    ],
    ["another user's sender_id", 403, say('Hello', { sender_id: 'somebody' })],
    ['a reserved session_id', 422, say('Hello'), { session_id: 'resource:a:b' }],
    ['an unknown property', 422, say('Hello'), { filters: {} }],
    ['a project_id with a slash', 422, say('Hello'), { project_id: 'a/b' }],
    ['a timestamp in the year 20000', 422, say('Hello', { timestamp: 568_971_820_800_000 })],
    ['a negative timestamp', 422, say('Hello', { timestamp: -1 })],
    ['a fraction as timestamp', 422, say('Hello', { timestamp: 1.5 })],
    ['NUL deep in a tool call', 422, say('Hello', { tool_calls: [{ a: { b: ['x\0'] } }] })],
    ['a lone surrogate as a key of a tool call', 422, say('Hello', { tool_calls: [{ '\ud800': 1 }] })],
    ['501 messages', 422, Array.from({ length: 501 }, () => say('a')[0])],
    ['a __proto__ property', 422, JSON.parse('[{"role":"user","content":"Hello","__proto__":{"isAdmin":true}}]')],
  ]

  it.each(refused)('refuses %s with %i, and stores nothing', async (_what, status, messages, more) => {
    const before = objectKeys(gateway)
    const answer = await add(messages, more)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(answer.body.error.request_id).toBe(answer.headers.get('x-request-id'))
    expect(await rowsOf(gateway, user)).toEqual(noRows)
    expect(objectKeys(gateway)).toEqual(before)
    expect('isAdmin' in {}).toBe(false)
  })

  it('takes exactly 500 messages, in their order', async () => {
    const { status, body } = await add(Array.from({ length: 500 }, (_, index) => say(`m${index}`)[0]))
    expect(status).toBe(200)
    expect(body.message_ids).toHaveLength(500)
    const { body: page } = await user.get('/sessions/chat%3A1/messages?limit=200')
    const texts = page.messages.map(({ content }: { content: [{ text: string }] }) => content[0].text)
    expect(texts).toEqual(Array.from({ length: 200 }, (_, index) => `m${index}`))
  })

  it.each([
    '{"session_id":',
    '',
    'null',
    '[]',
    '"text"',
    '{"session_id":"a","messages":[{"role":"user","content":"a"}]} x',
  ])('refuses the body %j', async (body) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${user.key}` }
    const answer = await call(`${user.base}/memories/add`, { method: 'POST', headers, body })
    expect([400, 422]).toContain(answer.status)
    expect(answer.body.error.code).toBe('invalid_request')
  })

  it('refuses a tool call nested 10,000 deep', async () => {
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    const body = `{"session_id":"a","messages":[{"role":"user","content":"a","tool_calls":[${deep}]}]}`
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${user.key}` }
    const answer = await call(`${user.base}/memories/add`, { method: 'POST', headers, body })
    expect(answer.status).toBe(422)
  })

  it('refuses a JSON body declared as something else', async () => {
    const headers = { 'content-type': 'text/plain', authorization: `Bearer ${user.key}` }
    const body = JSON.stringify({ session_id: 'chat:1', messages: say('Hello') })
    const answer = await call(`${user.base}/memories/add`, { method: 'POST', headers, body })
    expect(answer).toMatchObject({ status: 415, body: { error: { code: 'unsupported_media_type' } } })
    expect(await rowsOf(gateway, user)).toEqual(noRows)
  })
})
