import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createOpenAiCompatibleEmbedding } from '../../src/adapters/embedding-model/openai-compatible.ts'
import type { EmbeddingModel } from '../../src/ports/embedding-model.ts'
import type { ModelError } from '../../src/ports/model-provider.ts'
import { HASHED_DIMENSIONS } from '../helpers/hashed-embedder.ts'
import { startRawServer } from '../helpers/raw-server.ts'
import { type EmbeddingFault, type StubEmbedding, startStubEmbedding } from '../helpers/stub-embedding.ts'

const KEY = 'sk-embedding-secret-0123456789'
let stub: StubEmbedding
let model: EmbeddingModel

beforeAll(async () => {
  stub = await startStubEmbedding()
  model = createOpenAiCompatibleEmbedding({ model: 'small', baseUrl: stub.baseUrl, apiKey: KEY, timeoutMs: 500 })
})
afterEach(() => stub.misbehave(undefined))
afterAll(async () => {
  await model.close()
  await model.close()
  await stub.close()
})

const failing = async (how: EmbeddingFault): Promise<ModelError> => {
  stub.misbehave(how)
  return model.embed(['a cat']).then(
    () => expect.unreachable('it was answered'),
    (error: unknown) => error as ModelError,
  )
}
const answering = (embeddings: readonly unknown[]): EmbeddingFault => ({
  status: 200,
  body: JSON.stringify({ data: embeddings.map((embedding, index) => ({ index, embedding })) }),
})

describe('an embedding model', () => {
  it('makes a vector of length 1 of each text, in their order, and is asked as OpenAI is', async () => {
    const [cat, dog, again] = await model.embed(['a cat', 'a dog', 'a cat'])
    expect(cat).toHaveLength(HASHED_DIMENSIONS)
    expect(cat).toEqual(again)
    expect(cat).not.toEqual(dog)
    expect(Math.hypot(...cat!)).toBeCloseTo(1, 6)
    const { path, headers, model: name, input, encodingFormat } = stub.calls.at(-1)!
    expect({ path, name, input, encodingFormat }).toEqual({
      path: '/v1/embeddings',
      name: 'small',
      input: ['a cat', 'a dog', 'a cat'],
      encodingFormat: 'float',
    })
    expect(headers.authorization).toBe(`Bearer ${KEY}`)
  })

  it('is not asked about nothing, nor about more than it takes', async () => {
    const before = stub.calls.length
    expect(await model.embed([])).toEqual([])
    await expect(model.embed(Array.from({ length: model.batchSize + 1 }, () => 'a cat'))).rejects.toThrow(RangeError)
    expect(stub.calls).toHaveLength(before)
  })

  it('gets no more of a text than it would read, and no half characters', async () => {
    await model.embed([`${'x'.repeat(100_000)}`, 'half \ud83d'])
    expect(stub.calls.at(-1)!.input.map(({ length }) => length)).toEqual([8_000, 6])
    expect(stub.calls.at(-1)!.input[1]).toBe('half \ufffd')
  })

  it('keeps the query of its address, and sends no key where there is none', async () => {
    const server = await startRawServer((_, response) => response.end('{"data":[{"index":0,"embedding":[3,4]}]}'))
    const options = { model: 'm', baseUrl: `${server.url}/base/?api-version=1`, apiKey: undefined, timeoutMs: 5_000 }
    const other = createOpenAiCompatibleEmbedding(options)
    expect(await other.embed(['a cat'])).toEqual([Float32Array.of(0.6, 0.8)])
    expect(server.started[0]?.url).toBe('/base/embeddings?api-version=1')
    expect(server.started[0]?.headers.authorization).toBeUndefined()
    await other.close()
    await server.close()
  })

  it.each([400, 413, 422])('%i: it refuses the texts', async (status) => {
    expect(await failing({ status })).toMatchObject({ name: 'ModelError', failure: 'rejected', needsOperator: false })
  })

  it.each([401, 403, 404, 302])('%i: the operator has to act', async (status) => {
    const error = await failing({ status, headers: status === 302 ? { location: `${stub.baseUrl}/other` } : {} })
    expect(error).toMatchObject({ name: 'ModelError', failure: 'rejected', needsOperator: true })
    expect(error.message).toContain(String(status))
    expect(error.message).not.toContain('secret inner text')
  })

  it.each([408, 409, 500, 502, 503])('%i: it may pass', async (status) => {
    const error = await failing({ status })
    expect(error).toMatchObject({ name: 'ModelError', failure: 'unavailable', retryAfter: undefined })
    expect(error.message).toContain(String(status))
    expect(error.message).not.toContain('secret inner text')
  })

  it('passes on when to come again', async () => {
    expect(await failing({ status: 429, headers: { 'retry-after': '17' } })).toMatchObject({
      failure: 'unavailable',
      retryAfter: 17,
    })
  })

  it("names the server's code, never its text", async () => {
    const body = JSON.stringify({ error: { code: 'invalid_api_key', message: `Incorrect key ${KEY}` } })
    expect((await failing({ status: 401, body })).message).toBe(
      'The embedding model answered HTTP 401 invalid_api_key.',
    )
    const chatty = await failing({ status: 401, body: JSON.stringify({ error: { code: `the key ${KEY}` } }) })
    expect(chatty.message).toBe('The embedding model answered HTTP 401.')
  })

  it.each<[string, EmbeddingFault, RegExp]>([
    ['a page', { status: 200, body: '<!doctype html><p>Sign in' }, /no usable answer \(data\)/],
    ['JSON of another API', { status: 200, body: '{"result":1}' }, /no usable answer \(data\)/],
    ['no vector', answering([]), /not one vector for each text/],
    ['too many vectors', answering([[1], [1]]), /not one vector for each text/],
    ['numbers as text', answering(['AACAPwAAAAA=']), /no list of numbers/],
    ['an empty vector', answering([[]]), /no list of numbers/],
    ['words', answering([['one', 'two']]), /without a direction/],
    ['zeros', answering([[0, 0, 0]]), /without a direction/],
    ['null', answering([[1, null]]), /without a direction/],
    [
      'numbers beyond all',
      { status: 200, body: '{"data":[{"index":0,"embedding":[1e999,1]}]}' },
      /without a direction/,
    ],
    ['half an answer', 'broken', /broke off/],
    ['silence', 'silence', /within 500 ms/],
  ])('%s is no answer', async (_, how, message) => {
    const error = await failing(how)
    expect(error).toMatchObject({ name: 'ModelError', failure: 'unavailable' })
    expect(error.message).toMatch(message)
  })

  it('takes no vectors of different dimensions, and none twice', async () => {
    stub.misbehave(
      answering([
        [1, 2],
        [1, 2, 3],
      ]),
    )
    await expect(model.embed(['a', 'b'])).rejects.toThrow(/different dimensions/)
    stub.misbehave({ status: 200, body: '{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}' })
    await expect(model.embed(['a', 'b'])).rejects.toThrow(/not one vector for each text/)
  })

  it('takes no endless answer', async () => {
    stub.misbehave('huge')
    const patient = createOpenAiCompatibleEmbedding({
      model: 'm',
      baseUrl: stub.baseUrl,
      apiKey: KEY,
      timeoutMs: 20_000,
    })
    await expect(patient.embed(['a cat'])).rejects.toThrow(/longer than/)
    await patient.close()
  })

  it('is given up when the caller says so', async () => {
    stub.misbehave('silence')
    const giveUp = new AbortController()
    const asked = model.embed(['a cat'], giveUp.signal)
    const reason = new Error('the client is gone')
    giveUp.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await expect(model.embed(['a cat'], giveUp.signal)).rejects.toBe(reason)
  })

  it('is unavailable where nobody listens', async () => {
    const server = await startRawServer(() => {})
    await server.close()
    const away = createOpenAiCompatibleEmbedding({ model: 'm', baseUrl: server.url, apiKey: KEY, timeoutMs: 5_000 })
    await expect(away.embed(['a cat'])).rejects.toMatchObject({ failure: 'unavailable' })
    await away.close()
  })
})
