import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createOpenAiCompatibleModel } from '../../src/adapters/model-provider/openai-compatible.ts'
import type { ModelProvider } from '../../src/ports/model-provider.ts'
import { startRawServer } from '../helpers/raw-server.ts'
import { STUB_KEY, type StubModel, startStubModel } from '../helpers/stub-model.ts'

let stub: StubModel
let model: ModelProvider
const request = { messages: [{ role: 'user', content: 'Hello' }] } as const

beforeAll(async () => {
  stub = await startStubModel()
  model = createOpenAiCompatibleModel({ model: 'small', baseUrl: stub.baseUrl, apiKey: STUB_KEY, timeoutMs: 500 })
})
afterEach(() => stub.behave())
afterAll(async () => {
  await model.close()
  await stub.close()
})

const failing = async (how: Parameters<StubModel['misbehave']>[0]) => {
  stub.misbehave(how)
  return model.complete(request).then(
    () => expect.unreachable('it was answered'),
    (error: unknown) => error as Error,
  )
}

describe('a chat model', () => {
  it('answers, and tells the tokens', async () => {
    expect(await model.complete(request)).toEqual({
      text: 'I do not know that about you.',
      tokens: { input: 2, output: 8 },
    })
    const { path, headers, model: name, messages } = stub.requests.at(-1)!
    expect({ path, name, messages }).toEqual({
      path: '/v1/chat/completions',
      name: 'small',
      messages: request.messages,
    })
    expect(headers.authorization).toBe(`Bearer ${STUB_KEY}`)
  })

  it('does not invent tokens that the provider does not tell', async () => {
    stub.misbehave({ status: 200, body: '{"choices":[{"message":{"content":"Hi"}}]}' })
    expect(await model.complete(request)).toEqual({ text: 'Hi', tokens: undefined })
  })

  it('leaves out what the model thought before', async () => {
    stub.misbehave({ text: '<think>\nHm. {"a": 1} </think>\n\nYou live in Oslo.' })
    expect((await model.complete(request)).text).toBe('You live in Oslo.')
    expect(await failing({ text: '<think>Hm</think>' })).toMatchObject({ failure: 'unavailable' })
  })

  it('is shown pictures after the text', async () => {
    const bodies: { messages: unknown }[] = []
    const server = await startRawServer((_, response) => {
      bodies.push(JSON.parse(server.bodies.at(-1)!.toString()))
      response.end('{"choices":[{"message":{"content":"A cat."}}]}')
    })
    const other = createOpenAiCompatibleModel({ model: 'm', baseUrl: server.url, apiKey: undefined, timeoutMs: 5_000 })
    const pictures = [{ mimeType: 'image/png', base64: 'iVBORw0K' }] as const
    await other.complete({ messages: [{ role: 'user', content: 'What is it?', pictures }] })
    expect(bodies[0]?.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is it?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0K' } },
        ],
      },
    ])
    await other.close()
    await server.close()
  })

  it('passes on a schema and a bound', async () => {
    const bodies: unknown[] = []
    const server = await startRawServer((_, response) => {
      bodies.push(JSON.parse(server.bodies.at(-1)!.toString()))
      response.end('{"choices":[{"message":{"content":"{}"}}]}')
    })
    const other = createOpenAiCompatibleModel({
      model: 'm',
      baseUrl: `${server.url}/base/?api-version=1`,
      apiKey: undefined,
      timeoutMs: 5_000,
    })
    await other.complete({ ...request, maxTokens: 7, schema: { name: 'it', schema: { type: 'object' } } })
    expect(bodies).toEqual([
      {
        model: 'm',
        messages: request.messages,
        stream: false,
        max_tokens: 7,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'it', schema: { type: 'object' }, strict: true },
        },
      },
    ])
    expect(server.started[0]?.url).toBe('/base/chat/completions?api-version=1')
    expect(server.started[0]?.headers.authorization).toBeUndefined()
    await other.close()
    await server.close()
  })

  it.each([401, 403, 404, 400, 422, 302])('%i: the same will be refused again', async (status) => {
    const error = await failing({ status, headers: status === 302 ? { location: `${stub.baseUrl}/other` } : {} })
    expect(error).toMatchObject({ name: 'ModelError', failure: 'rejected' })
    expect(error.message).toContain(String(status))
    expect(error.message).not.toContain('secret inner text')
  })

  it.each([408, 409, 500, 502, 503])('%i: it may pass', async (status) => {
    expect(await failing({ status })).toMatchObject({ failure: 'unavailable', retryAfter: undefined })
  })

  it('passes on when to come again, as seconds or as a date', async () => {
    expect(await failing({ status: 429, headers: { 'retry-after': '17' } })).toMatchObject({
      failure: 'unavailable',
      retryAfter: 17,
    })
    const soon = new Date(Date.now() + 30_000).toUTCString()
    const { retryAfter } = (await failing({ status: 503, headers: { 'retry-after': soon } })) as unknown as {
      retryAfter: number
    }
    expect(retryAfter).toBeGreaterThan(25)
    expect(retryAfter).toBeLessThanOrEqual(30)
  })

  it("names the provider's code, never its text", async () => {
    const body = JSON.stringify({ error: { code: 'invalid_api_key', message: `Incorrect key ${STUB_KEY}` } })
    const error = await failing({ status: 401, body })
    expect(error.message).toBe('The chat model answered HTTP 401 invalid_api_key.')
    const chatty = await failing({ status: 401, body: JSON.stringify({ error: { code: `the key ${STUB_KEY}` } }) })
    expect(chatty.message).toBe('The chat model answered HTTP 401.')
  })

  it.each([
    ['html', /no usable answer/],
    ['other_json', /no usable answer/],
    ['huge', /longer than/],
    ['broken', /broke off/],
    ['silence', /within 500 ms/],
  ] as const)('%s is no answer', async (how, message) => {
    const error = await failing(how)
    expect(error).toMatchObject({ name: 'ModelError', failure: 'unavailable' })
    expect(error.message).toMatch(message)
  })

  it('an answer without text is none', async () => {
    expect(await failing({ status: 200, body: '{"choices":[{"message":{"content":null}}]}' })).toMatchObject({
      failure: 'unavailable',
    })
    expect(await failing({ status: 200, body: '{"choices":[]}' })).toMatchObject({ failure: 'unavailable' })
  })

  it('is given up when the caller says so', async () => {
    stub.misbehave('silence')
    const giveUp = new AbortController()
    const asked = model.complete(request, giveUp.signal)
    const reason = new Error('the client is gone')
    giveUp.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await expect(model.complete(request, giveUp.signal)).rejects.toBe(reason)
  })

  it('is unavailable where nobody listens', async () => {
    const server = await startRawServer(() => {})
    await server.close()
    const away = createOpenAiCompatibleModel({ model: 'm', baseUrl: server.url, apiKey: 'k', timeoutMs: 5_000 })
    await expect(away.complete(request)).rejects.toMatchObject({ failure: 'unavailable' })
    await away.close()
    await away.close()
  })
})
