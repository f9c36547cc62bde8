import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { call } from '../helpers/client.ts'
import { type LoggedGateway, startLoggedGateway } from '../helpers/logged-gateway.ts'
import { makeAccount } from '../helpers/service.ts'
import { postBytes, type StubProvider, startStubProvider, writeParts } from '../helpers/stub-provider.ts'

const PATHS = ['/v1/chat/completions', '/v1/responses', '/v1/messages'] as const
const CONFIGURED = { openai: 'sk-configured-openai', anthropic: 'sk-configured-anthropic', local: 'sk-local' }

let gateway: LoggedGateway
let provider: StubProvider
let key: string
const bearer = () => ({ authorization: `Bearer ${key}` })
const chat = (path: string, body: Buffer | string, headers: Record<string, string> = {}) =>
  postBytes(gateway.url + path, body, { ...bearer(), ...headers })
const hello = '{"model":"local/small","messages":[{"role":"user","content":"Hello"}]}'
const json = (bytes: Buffer) => JSON.parse(bytes.toString())
const said = (bytes: Buffer) => {
  const { type, error } = json(bytes)
  return { outer: type, type: error.type, message: error.message }
}

beforeAll(async () => {
  provider = await startStubProvider()
  gateway = await startLoggedGateway({
    OPENAI_BASE_URL: `${provider.url}/openai`,
    OPENAI_API_KEY: CONFIGURED.openai,
    ANTHROPIC_BASE_URL: `${provider.url}/anthropic`,
    ANTHROPIC_API_KEY: CONFIGURED.anthropic,
    MODEL_PROVIDERS: JSON.stringify({
      local: { base_url: `${provider.url}/local`, api_key: CONFIGURED.local },
      away: { base_url: 'http://127.0.0.1:9' },
    }),
    MAX_CHAT_BYTES: '3MiB',
    RATE_LIMIT_PROXY_10S: '0',
  })
  key = (await makeAccount(gateway)).apiKey
  const list = (data: unknown) => (response: ServerResponse) => void response.end(JSON.stringify({ data }))
  provider.script('/openai/models', list([{ id: 'gpt-x', created: 1_700_000_000, owned_by: 'system' }]))
  const claude = { id: 'claude-x', type: 'model', display_name: 'Claude X', created_at: '2023-11-14T22:13:20Z' }
  provider.script('/anthropic/models?limit=1000', list([claude]))
  provider.script('/local/models', (response) => void response.writeHead(500).end())
})
afterAll(async () => {
  await gateway.close()
  await provider.close()
})

describe.each(PATHS)('POST %s', (path) => {
  it('goes to the provider of its model, with the key of the gateway', async () => {
    const answer = await chat(path, '{"model":"openai/gpt-x","n":1}')
    expect([answer.status, answer.bytes.toString()]).toEqual([200, '{}'])
    const { path: asked, headers, body } = provider.calls.at(-1)!
    expect(asked).toBe(path.replace('/v1', '/openai'))
    expect(headers.authorization).toBe(`Bearer ${CONFIGURED.openai}`)
    expect(body.toString()).toBe('{"model":"gpt-x","n":1}')
  })

  it('is the same with a slash at its end', async () => {
    expect((await chat(`${path}/`, hello)).status).toBe(200)
    expect(provider.calls.at(-1)!.path).toBe(path.replace('/v1', '/local'))
    expect(said((await chat(`${path}/`, '{}')).bytes)).toEqual(said((await chat(path, '{}')).bytes))
  })

  it('takes the key of the gateway in each of its headers', async () => {
    const keys = [bearer(), { 'x-api-key': key }, { 'x-memory-gateway-authorization': `Bearer ${key}` }]
    for (const headers of keys) expect((await postBytes(gateway.url + path, hello, headers)).status).toBe(200)
  })

  it.each<[string, () => Record<string, string>]>([
    ['no key', () => ({})],
    ['a wrong key', () => ({ authorization: `Bearer mgk_live_${'x'.repeat(43)}` })],
    ['a key of a provider alone', () => ({ authorization: 'Bearer sk-somebody' })],
    ['a wrong key beside one of a provider', () => ({ ...bearer(), 'x-memory-gateway-authorization': 'Bearer no' })],
  ])('%s: 401, and nothing is sent on', async (_, headers) => {
    const before = provider.calls.length
    const { status, bytes } = await postBytes(gateway.url + path, hello, headers())
    expect(status).toBe(401)
    expect(said(bytes)).toMatchObject({
      type: 'authentication_error',
      outer: path === '/v1/messages' ? 'error' : undefined,
    })
    expect(provider.calls).toHaveLength(before)
  })

  it.each([
    ['no JSON', 'Hello', /not valid JSON/],
    ['an array', '[]', /not valid JSON/],
    ['no model', '{"messages":[]}', /model is needed/],
    ['a model that is no text', '{"model":7}', /model is needed/],
    ['two models', '{"model":"local/a","model":"openai/b"}', /twice/],
    ['a model of nobody', '{"model":"nobody/x","messages":[]}', /^(?!.*sk-).*provider/],
  ])('%s: 400', async (_, body, message) => {
    const { status, bytes } = await chat(path, body)
    // An OPENAI_BASE_URL of one's own takes any name.
    if (body.includes('nobody')) return expect([status, bytes.toString()]).toEqual([200, '{}'])
    expect(status).toBe(400)
    expect(said(bytes)).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(message) })
  })

  it('is 400 for a thread without its resource, whatever the body', async () => {
    const { status, bytes } = await chat(path, 'no JSON', { 'x-thread-id': 't1' })
    expect([status, said(bytes).type]).toEqual([400, 'invalid_request_error'])
    expect(said(bytes).message).toContain('x-resource-id')
  })

  it('is 413 above the limit, with and without a length', async () => {
    const large = Buffer.from(`{"model":"local/small","x":"${'x'.repeat(3 * 1024 * 1024)}"}`)
    expect((await chat(path, large)).status).toBe(413)
    expect((await postChunked(path, large)).status).toBe(413)
  })

  it('is 502 in the shape of its API where the provider is away', async () => {
    const { status, bytes } = await chat(path, '{"model":"away/x"}')
    expect(status).toBe(502)
    expect(said(bytes)).toMatchObject({
      type: 'api_error',
      message: expect.stringContaining('"away" cannot be reached'),
    })
    expect(bytes.toString()).not.toContain('127.0.0.1')
  })

  it('is 502 for a redirect, which is not followed', async () => {
    provider.script('redirect', (response) => {
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    const before = provider.calls.length
    const { status, bytes } = await chat(path, hello, { 'x-script': 'redirect' })
    expect([status, said(bytes).message]).toEqual([502, expect.stringContaining('redirect')])
    expect(provider.calls).toHaveLength(before + 1)
  })

  it('ends a stream that broke off with an event that tells of it', async () => {
    provider.script('broken', async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      await writeParts(response, ['data: {"a":1}\n\n', 'data: {"b":'])
      response.destroy()
    })
    const { status, bytes } = await chat(path, hello, { 'x-script': 'broken' })
    expect(status).toBe(200)
    const [first, last, ...more] = bytes.toString().split('\n\n')
    expect([first, more]).toEqual(['data: {"a":1}', ['']])
    const data = JSON.parse(/^data: (.*)$/m.exec(last ?? '')?.[1] ?? '')
    // Clients know it by one of these.
    expect(data.error ?? data).toMatchObject({ message: expect.stringContaining('broke off') })
  })
})

describe('headers', () => {
  it('pass, but for those of the connection and those of the gateway', async () => {
    await chat('/v1/messages', '{"model":"anthropic/claude-x"}', {
      'anthropic-version': '2024-10-10',
      'anthropic-beta': 'one,two',
      'user-agent': 'test/1',
      'x-custom': 'kept',
      'x-project-id': 'p1',
      'x-resource-id': 'somebody',
      'x-forwarded-for': '10.0.0.1',
      cookie: 'a=b',
    })
    const { path, headers } = provider.calls.at(-1)!
    expect(path).toBe('/anthropic/messages')
    expect(Object.keys(headers).toSorted()).toEqual(
      [
        'anthropic-beta',
        'anthropic-version',
        'connection',
        'content-length',
        'content-type',
        'host',
        'user-agent',
        'x-api-key',
        'x-custom',
      ].toSorted(),
    )
    expect(headers).toMatchObject({ 'x-api-key': CONFIGURED.anthropic, 'anthropic-version': '2024-10-10' })
  })

  it('of the answer pass too, beside those of the gateway', async () => {
    provider.script('headers', (response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-request-id': 'req_upstream',
        'x-ratelimit-limit-requests': '9',
        'openai-version': '2020',
        'x-many': ['1', '2'],
        'cache-control': 'public',
        'set-cookie': 'a=b',
        'access-control-allow-origin': '*',
        'strict-transport-security': 'max-age=1',
        'alt-svc': 'h3',
      })
      response.end('{}')
    })
    const { headers } = await chat('/v1/responses', hello, { 'x-script': 'headers', 'x-request-id': 'mine' })
    expect(headers).toMatchObject({
      'x-request-id': 'mine',
      'x-upstream-request-id': 'req_upstream',
      'x-ratelimit-limit-requests': '9',
      'openai-version': '2020',
      'cache-control': 'private, no-store',
    })
    expect(String(headers['x-many'])).toBe('1,2')
    for (const name of ['set-cookie', 'access-control-allow-origin', 'strict-transport-security', 'alt-svc']) {
      expect(headers).not.toHaveProperty(name)
    }
    expect(Object.keys(headers).filter((name) => name.startsWith('x-memory-'))).toEqual([])
  })
})

describe("a caller's own key", () => {
  const own = 'sk-of-the-caller-0123456789'
  const pass = (path: string, model: string, header: Record<string, string>) =>
    postBytes(gateway.url + path, JSON.stringify({ model }), {
      'x-memory-gateway-authorization': `Bearer ${key}`,
      ...header,
    })

  it('goes to the provider in the header it came in, instead of the one of the gateway', async () => {
    await pass('/v1/chat/completions', 'openai/gpt-x', { authorization: `Bearer ${own}` })
    expect(provider.calls.at(-1)!.headers.authorization).toBe(`Bearer ${own}`)
    await pass('/v1/messages', 'anthropic/claude-x', { 'x-api-key': own })
    const { headers } = provider.calls.at(-1)!
    expect([headers['x-api-key'], headers.authorization]).toEqual([own, undefined])
  })

  it('goes to no other provider than the one that is named', async () => {
    const before = provider.calls.length
    const { status, bytes } = await pass('/v1/chat/completions', 'nobody/x', { authorization: `Bearer ${own}` })
    expect([status, said(bytes).message]).toEqual([400, expect.stringContaining('nobody')])
    expect(provider.calls).toHaveLength(before)
  })

  it('is none of the gateway: those go to no provider, whichever header has them', async () => {
    for (const header of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
      await pass('/v1/chat/completions', 'openai/gpt-x', header)
      expect(JSON.stringify(provider.calls.at(-1)!.headers)).not.toContain(key)
    }
  })

  it('is not sent where models are listed, and is in no log line; neither are the others', async () => {
    const url = `${gateway.url}/v1/models`
    await call(url, { headers: { 'x-memory-gateway-authorization': `Bearer ${key}`, authorization: `Bearer ${own}` } })
    await pass('/v1/chat/completions', 'away/x', { authorization: `Bearer ${own}` })
    expect(
      provider.calls.filter(({ path }) => path.includes('/models')).map(({ headers }) => headers),
    ).not.toContainEqual(expect.objectContaining({ authorization: `Bearer ${own}` }))
    const log = gateway.lines.join('')
    expect(log).toContain('away')
    for (const secret of [own, key, ...Object.values(CONFIGURED)]) expect(log).not.toContain(secret)
  })
})

describe('a caller who leaves', () => {
  it('takes the call of the provider with them, before its answer and within it', async () => {
    provider.script('silence', () => {})
    provider.script('endless', async (response, { path }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      while (!response.destroyed) await writeParts(response, [`data: ${path}\n\n`])
    })
    for (const script of ['silence', 'endless']) {
      const before = provider.calls.length
      const sent = open('/v1/chat/completions', { 'x-script': script })
      sent.on('error', () => {})
      sent.end(hello)
      if (script === 'endless') await once((await once(sent, 'response'))[0] as IncomingMessage, 'data')
      await vi.waitFor(() => expect(provider.calls).toHaveLength(before + 1))
      sent.destroy()
      await vi.waitFor(() => expect(provider.calls.at(-1)!.isAbandoned).toBe(true), { timeout: 1_000, interval: 10 })
    }
  })

  it('slows the provider down, if they only read slowly', async () => {
    const part = Buffer.alloc(64 * 1024, 'data: x\n\n')
    const parts = 400
    let written = 0
    provider.script('fast', async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (written = 0; written < parts; written++) {
        if (!response.write(part)) await once(response, 'drain')
      }
      response.end()
    })
    const sent = open('/v1/chat/completions', { 'x-script': 'fast', connection: 'close, x-hop', 'x-hop': '1' })
    sent.end(hello)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(provider.calls.at(-1)!.headers).not.toHaveProperty('x-hop')
    let [before, same] = [-1, 0]
    await vi.waitFor(
      () => {
        same = written === before ? same + 1 : 0
        before = written
        expect(same).toBeGreaterThan(4)
      },
      { timeout: 5_000, interval: 20 },
    )
    expect(written).toBeLessThan(parts)
    let size = 0
    for await (const chunk of answer) size += (chunk as Buffer).length
    expect(size).toBe(parts * part.length)
  })
})

describe('GET /v1/models', () => {
  const listed = (header: Record<string, string> = bearer(), id = '') =>
    call(`${gateway.url}/v1/models${id}`, { headers: header })

  it('lists what the providers offer, as both kinds of clients read it; one that fails is left out', async () => {
    const { status, body } = await listed()
    expect(status).toBe(200)
    const dates = { created: 1_700_000_000, created_at: '2023-11-14T22:13:20Z' }
    const kind = { object: 'model', type: 'model' }
    expect(body).toEqual({
      object: 'list',
      data: [
        { id: 'openai/gpt-x', ...kind, ...dates, display_name: 'gpt-x', owned_by: 'system' },
        { id: 'anthropic/claude-x', ...kind, ...dates, display_name: 'Claude X', owned_by: 'anthropic' },
      ],
      has_more: false,
      first_id: 'openai/gpt-x',
      last_id: 'anthropic/claude-x',
    })
    expect(gateway.lines.join('')).toContain('a provider did not list its models')
    expect((await listed(bearer(), '/anthropic/claude-x')).body).toEqual(body.data[1])
    expect((await listed(bearer(), '/anthropic%2Fclaude-x')).body).toEqual(body.data[1])
    const asked = provider.calls.filter(({ path }) => path === '/anthropic/models?limit=1000')
    expect(asked.map(({ headers }) => [headers['x-api-key'], headers['anthropic-version']])).toEqual([
      [CONFIGURED.anthropic, '2023-06-01'],
    ])
  })

  it('needs a key', async () => {
    const { status, body } = await listed({})
    expect([status, body.error.type]).toEqual([401, 'authentication_error'])
    expect((await listed({}, '/openai/gpt-x')).status).toBe(401)
  })

  it('is 404 for a model that is not listed', async () => {
    const { status, body } = await listed(bearer(), '/openai/gpt-y')
    expect([status, body.error.type]).toEqual([404, 'not_found'])
  })
})

function open(path: string, headers: Record<string, string>) {
  const all = { ...bearer(), 'content-type': 'application/json', ...headers }
  return httpRequest(gateway.url + path, { method: 'POST', agent: false, headers: all })
}

async function postChunked(path: string, body: Buffer): Promise<{ status: number | undefined }> {
  const sent = open(path, {})
  sent.on('error', () => {})
  for (let at = 0; at < body.length; at += 65_536) sent.write(body.subarray(at, at + 65_536))
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  return { status: answer.statusCode }
}

describe('POST /v1/messages/count_tokens', () => {
  const path = '/v1/messages/count_tokens'

  it('asks the provider, as a chat does, and needs no thread', async () => {
    const thread = { 'x-thread-id': 'counted' }
    const answer = await chat(path, '{"model":"claude-x","messages":[]}', thread)
    expect([answer.status, answer.bytes.toString()]).toEqual([200, '{}'])
    const { path: asked, headers, body } = provider.calls.at(-1)!
    expect([asked, headers['x-api-key']]).toEqual(['/anthropic/messages/count_tokens', CONFIGURED.anthropic])
    expect([headers['anthropic-version'], headers['x-thread-id']]).toEqual(['2023-06-01', undefined])
    expect(body.toString()).toBe('{"model":"claude-x","messages":[]}')
  })

  it('has the errors of its API', async () => {
    const fault = said((await chat(path, '{}')).bytes)
    expect(fault).toMatchObject({ outer: 'error', type: 'invalid_request_error' })
  })
})
