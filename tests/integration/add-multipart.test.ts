import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, type FilePart, picture, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { fieldParts, multipartBody, multipartType, type Part } from '../helpers/multipart.ts'
import { rawRequest } from '../helpers/raw-request.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

const PATH = '/memories/add/multipart'
let gateway: TestGateway
let user: TestUser

beforeAll(async () => {
  gateway = await sharedGateway()
})

const image: FilePart = { field: 'image_1', name: 'p.png', bytes: picture, type: 'image/png' }
const audio: FilePart = { field: 'audio_1', name: 't.wav', bytes: tone, type: 'audio/wav' }

interface Item {
  type: string
  [name: string]: unknown
}

const item = (type: string, upload_id: string, more: object = {}): Item => ({ type, upload_id, ...more })
const say = (content: unknown, more: object = {}) => [{ role: 'user', content, ...more }]

function add(messages: unknown, files: readonly FilePart[] = [], fields: Record<string, string> = {}) {
  return user.upload(PATH, { session_id: 'chat:1', messages: JSON.stringify(messages), ...fields }, files)
}

function send(parts: readonly Part[], headers: Record<string, string> = {}) {
  return rawRequest(user.base + PATH, {
    headers: { 'content-type': multipartType, ...headers },
    body: multipartBody(parts),
  })
}

describe('parts', () => {
  beforeAll(async () => {
    user = await createUser(gateway.url)
  })

  const parts: Record<string, Part> = {
    files: { name: 'image_1', fileName: 'p.png', type: 'image/png', body: picture },
    messages: { name: 'messages', body: JSON.stringify(say([item('image', 'image_1')])) },
    session: { name: 'session_id', body: 'chat:order' },
  }
  const orders = [
    ['files', 'messages', 'session', 'key', 'user'],
    ['files', 'user', 'key', 'session', 'messages'],
    ['key', 'messages', 'user', 'files', 'session'],
    ['messages', 'session', 'user', 'key', 'files'],
    ['user', 'files', 'session', 'messages', 'key'],
  ]

  it.each(orders)('are taken in the order %s, %s, %s, %s, %s', async (...order) => {
    const all: Record<string, Part> = {
      ...parts,
      key: { name: 'user_key', body: user.key },
      user: { name: 'user_id', body: user.id },
    }
    const answer = await send(order.map((name) => all[name]!))
    expect(answer?.status).toBe(200)
    expect(answer?.body).toMatchObject({
      session_id: 'chat:order',
      backend: { data: { message_count: 1, status: 'accumulated' } },
      attachments: [{ upload_id: 'image_1', type: 'image', mime_type: 'image/png', size: picture.length }],
    })
  })

  it('are taken from a body without Content-Length', async () => {
    const body = multipartBody([
      ...fieldParts({ session_id: 'chat:chunked', messages: JSON.stringify(say([item('image', 'image_1')])) }),
      parts.files!,
    ])
    const headers = { 'content-type': multipartType, authorization: `Bearer ${user.key}` }
    const answer = await rawRequest(user.base + PATH, { headers, body, chunked: true })
    expect(answer?.status).toBe(200)
  })

  it('may be two messages that share no file, and an assistant with another name', async () => {
    const messages = [
      { role: 'user', sender_id: user.id, content: [{ type: 'text', text: 'Look.' }, item('image', 'image_1')] },
      { role: 'assistant', sender_id: 'bot', content: 'I see.' },
      { role: 'user', content: [item('audio', 'audio_1', { name: 'renamed.wav', ext: 'wav' })] },
    ]
    const { status, body } = await add(messages, [audio, image])
    expect(status).toBe(200)
    expect(body.message_ids).toHaveLength(3)
    expect(body.attachments.map(({ name }: { name: string }) => name)).toEqual(['p.png', 'renamed.wav'])
  })
})

describe('a request is refused', () => {
  const upload = (field: string): FilePart => ({ ...image, field })
  const fixture = (name: string) => new Uint8Array(readFileSync(`fixtures/files/${name}`))

  interface Case {
    what: string
    messages: () => unknown
    files?: FilePart[]
    fields?: Record<string, string>
    status: number
    code?: string
    details?: object
  }

  const cases: Case[] = [
    {
      what: 'with an upload_id without file',
      messages: () => say([item('image', 'image_1'), item('image', 'image_2')]),
      files: [image],
      status: 422,
      details: { missing_files: ['image_2'] },
    },
    {
      what: 'with an upload_id used twice in one message',
      messages: () => say([item('image', 'image_1'), item('image', 'image_1')]),
      files: [image],
      status: 422,
      details: { duplicate_upload_ids: ['image_1'] },
    },
    {
      what: 'with an upload_id used in two messages',
      messages: () => [...say([item('image', 'image_1')]), ...say([item('image', 'image_1')])],
      files: [image],
      status: 422,
      details: { duplicate_upload_ids: ['image_1'] },
    },
    {
      what: 'with a file that no message refers to',
      messages: () => say([item('image', 'image_1')]),
      files: [image, audio],
      status: 422,
      details: { unreferenced_files: ['audio_1'] },
    },
    {
      what: 'with a file field sent twice',
      messages: () => say([item('image', 'image_1')]),
      files: [image, image],
      status: 422,
      details: { duplicate_files: ['image_1'] },
    },
    {
      what: 'with all these faults at once',
      messages: () => say([item('image', 'a'), item('image', 'a'), item('image', 'b')]),
      files: [upload('c'), upload('c'), upload('a')],
      status: 422,
      details: {
        duplicate_upload_ids: ['a'],
        duplicate_files: ['c'],
        missing_files: ['b'],
        unreferenced_files: ['c'],
      },
    },
    {
      what: 'with a file of an unsupported type',
      messages: () => say([item('doc', 'program')]),
      files: [{ field: 'program', name: 'a.txt', bytes: fixture('program.exe'), type: 'text/plain' }],
      status: 415,
      code: 'unsupported_media_type',
      details: { upload_id: 'program' },
    },
    {
      what: 'with content that contradicts the declared type',
      messages: () => say([item('audio', 'a')]),
      files: [{ ...upload('a'), name: 'a.wav', type: 'audio/wav' }],
      status: 415,
      code: 'unsupported_media_type',
      details: { upload_id: 'a', declared_type: 'audio', mime_type: 'image/png' },
    },
    { what: 'with an item without upload_id', messages: () => say([{ type: 'image' }]), status: 422 },
    { what: 'with an empty upload_id', messages: () => say([item('image', '')]), files: [image], status: 422 },
    { what: 'with base64', messages: () => say([{ type: 'image', base64: 'AAAA' }]), status: 422 },
    {
      what: 'with a uri',
      messages: () => say([item('image', 'image_1', { uri: 'http://127.0.0.1/' })]),
      files: [image],
      status: 422,
    },
    { what: 'with an unknown item type', messages: () => say([item('video', 'image_1')]), files: [image], status: 422 },
    {
      what: "with another user's sender_id",
      messages: () => say('Hello', { sender_id: 'somebody_else' }),
      status: 403,
      code: 'forbidden',
      details: { sender_id: 'somebody_else' },
    },
    { what: 'with an unknown role', messages: () => [{ role: 'system', content: 'Obey.' }], status: 422 },
    { what: 'with an unknown property of a message', messages: () => say('Hello', { project_id: 'x' }), status: 422 },
    { what: 'with a tool message without call id', messages: () => [{ role: 'tool', content: 'x' }], status: 422 },
    { what: 'without messages', messages: () => [], status: 422 },
    { what: 'with messages that are no array', messages: () => ({ role: 'user', content: 'Hello' }), status: 422 },
    { what: 'with 501 messages', messages: () => Array.from({ length: 501 }, () => say('Hello')[0]), status: 422 },
    { what: 'with empty text', messages: () => say(''), status: 422 },
    { what: 'with NUL in a text', messages: () => say('a\0b'), status: 422 },
    { what: 'with a lone surrogate in a text', messages: () => say([{ type: 'text', text: 'a\udc00' }]), status: 422 },
    { what: 'with NUL in a sender name', messages: () => say('Hello', { sender_name: 'a\0' }), status: 422 },
    {
      what: 'with a lone surrogate in a file name',
      messages: () => say([item('image', 'image_1', { name: '\ud800.png' })]),
      files: [image],
      status: 422,
    },
    {
      what: 'with NUL in an upload_id',
      messages: () => say([item('image', 'a\0b')]),
      files: [upload('a\0b')],
      status: 422,
    },
    ...['resource:x', 'memory:1', 'thread:1', 'Resource:x', 'RESOURCE:x'].map((session_id) => ({
      what: `with the reserved session_id ${session_id}`,
      messages: () => say('Hello'),
      fields: { session_id },
      status: 422,
    })),
    { what: 'with an empty session_id', messages: () => say('Hello'), fields: { session_id: '' }, status: 422 },
    { what: 'with NUL in the session_id', messages: () => say('Hello'), fields: { session_id: 'a\0' }, status: 422 },
    { what: 'with an app_id with a slash', messages: () => say('Hello'), fields: { app_id: '../x' }, status: 422 },
    {
      what: 'with an unknown field',
      messages: () => say('Hello'),
      fields: { colour: 'red' },
      status: 422,
      details: { unknown_fields: ['colour'] },
    },
    {
      what: 'with a file sent as a text field',
      messages: () => say([item('image', 'image_1')]),
      fields: { image_1: 'the bytes' },
      status: 422,
      details: { unknown_fields: ['image_1'] },
    },
  ]

  it.each(cases)('$what, and nothing is stored', async ({ messages, files, fields, status, code, details }) => {
    user = await createUser(gateway.url)
    const before = objectKeys(gateway)
    const answer = await add(messages(), files, fields)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(answer.body.error).toMatchObject({
      code: code ?? 'invalid_request',
      request_id: answer.headers.get('x-request-id'),
      ...(details && { details }),
    })
    expect(await rowsOf(gateway, user)).toEqual(noRows)
    expect(objectKeys(gateway)).toEqual(before)
  })

  it('with messages that are no JSON (400)', async () => {
    user = await createUser(gateway.url)
    const answer = await user.upload(PATH, { session_id: 'chat:1', messages: '[{"role":' }, [])
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
  })

  it('with messages, or session_id, left out or sent as a file', async () => {
    user = await createUser(gateway.url)
    const messages = JSON.stringify(say('Hello'))
    expect((await user.upload(PATH, { session_id: 'chat:1' }, [])).status).toBe(422)
    expect((await user.upload(PATH, { messages }, [])).status).toBe(422)
    const asFile = { field: 'messages', name: 'messages.json', bytes: Buffer.from(messages) }
    expect((await user.upload(PATH, { session_id: 'chat:1' }, [asFile])).status).toBe(422)
  })

  it('with a field sent twice', async () => {
    user = await createUser(gateway.url)
    const twice = fieldParts({ session_id: 'chat:1', messages: JSON.stringify(say('Hello')) })
    const headers = { authorization: `Bearer ${user.key}` }
    const answer = await send([...twice, { name: 'session_id', body: 'chat:2' }], headers)
    expect(answer).toMatchObject({ status: 422, body: { error: { details: { field: 'session_id' } } } })
  })

  it('with a key that is wrong, when the key comes last', async () => {
    user = await createUser(gateway.url)
    const other = await createUser(gateway.url)
    const parts = fieldParts({ session_id: 'chat:1', messages: JSON.stringify(say('Hello')), user_id: user.id })
    expect((await send([...parts, { name: 'user_key', body: other.key }]))?.status).toBe(401)
    expect((await send(parts))?.status).toBe(401)
    expect(await rowsOf(gateway, user)).toEqual(noRows)
  })

  it('keeps what was in the session before', async () => {
    user = await createUser(gateway.url)
    await add(say('First.'))
    const before = await rowsOf(gateway, user)
    expect((await add(say([item('image', 'x')]))).status).toBe(422)
    expect(await rowsOf(gateway, user)).toEqual(before)
  })
})
