import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createModelGateway } from '../../src/adapters/model-provider/forwarder.ts'
import { loadConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import type { ModelsConfig } from '../../src/config/model-providers.ts'
import type { ModelGateway, ModelGatewayError, ModelRequest } from '../../src/ports/model-gateway.ts'
import { type ProviderScript, type StubProvider, startStubProvider } from '../helpers/stub-provider.ts'

let provider: StubProvider
let gateway: ModelGateway | undefined

beforeEach(async () => {
  provider = await startStubProvider()
})
afterEach(async () => {
  await gateway?.close()
  await gateway?.close()
  await provider.close()
})

function openWith(settings: Record<string, string> = {}): ModelGateway {
  const models: ModelsConfig = loadConfig(
    readEnv({
      MODEL_PROVIDERS: JSON.stringify({
        one: { base_url: `${provider.url}/one`, api_key: 'k1' },
        two: { base_url: `${provider.url}/two/`, api_key: 'k2' },
        away: { base_url: 'http://127.0.0.1:9' },
      }),
      ...settings,
    }),
  ).models
  gateway = createModelGateway(models, { warn: () => {} })
  return gateway
}

interface Outcome {
  status?: number
  provider?: string
  text: string
  error?: ModelGatewayError
}

function ask(from: ModelGateway, model: string, more: Partial<ModelRequest> = {}): Promise<Outcome> {
  const answer: Outcome = { text: '' }
  return new Promise((resolve) => {
    from.send(
      {
        path: '/chat/completions',
        model,
        headers: [],
        passThroughKey: undefined,
        body: (upstream) => [Buffer.from(`{"model":"`), Buffer.from(`${upstream}"}`)],
        ...more,
      },
      {
        begin: ({ status, provider: name }) => void Object.assign(answer, { status, provider: name }),
        data: (chunk) => {
          answer.text += chunk.toString()
          return true
        },
        end: () => resolve(answer),
        fail: (error) => resolve({ ...answer, error }),
      },
    )
  })
}

/** Statuses one after the other; the last for all that follow. */
function answering(...statuses: readonly (number | [number, Record<string, string>])[]): ProviderScript {
  let at = 0
  return (response) => {
    const next = statuses[Math.min(at++, statuses.length - 1)] ?? 200
    const [status, headers] = typeof next === 'number' ? [next, {}] : next
    response.writeHead(status, headers).end(`"${status}"`)
  }
}

const asked = () => provider.calls.map(({ path, body }) => `${path} ${JSON.parse(body.toString()).model}`)

describe('a gateway to model providers', () => {
  it('asks once, whatever the answer, unless more is configured', async () => {
    provider.script('/one/chat/completions', answering([429, { 'retry-after': '0' }], 200))
    expect(await ask(openWith(), 'one/small')).toMatchObject({ status: 429, provider: 'one', text: '"429"' })
    expect(asked()).toEqual(['/one/chat/completions small'])
  })

  it.each([429, 502, 503, 529])('tries %i again as often as is configured, when it is said to', async (status) => {
    const busy: [number, Record<string, string>] = [status, { 'retry-after': '0' }]
    provider.script('/one/chat/completions', answering(busy, busy, 200))
    expect(await ask(openWith({ MODEL_RETRIES: '2' }), 'one/small')).toMatchObject({ status: 200, text: '"200"' })
    provider.script('/two/chat/completions', answering(busy))
    expect(await ask(openWith({ MODEL_RETRIES: '2' }), 'two/small')).toMatchObject({ status, text: `"${status}"` })
    expect(provider.calls).toHaveLength(6)
  })

  it.each([200, 400, 401, 404, 500])('does not try %i again', async (status) => {
    provider.script('/one/chat/completions', answering(status))
    expect(await ask(openWith({ MODEL_RETRIES: '2' }), 'one/small')).toMatchObject({ status })
    expect(provider.calls).toHaveLength(1)
  })

  it('does not wait for one that asks for long', async () => {
    provider.script('/one/chat/completions', answering([429, { 'retry-after': '600' }]))
    expect(await ask(openWith({ MODEL_RETRIES: '2' }), 'one/small')).toMatchObject({ status: 429 })
    expect(provider.calls).toHaveLength(1)
  })

  const FALLBACKS = JSON.stringify({ 'one/small': ['of-openai', 'two/large'], 'away/x': ['two/large'] })

  it('asks another model where one is configured, by the name that it has there and with its own key', async () => {
    provider.script('/one/chat/completions', answering(503))
    const from = openWith({ MODEL_FALLBACKS: FALLBACKS })
    expect(await ask(from, 'one/small')).toMatchObject({ status: 200, provider: 'two' })
    expect(asked()).toEqual(['/one/chat/completions small', '/two/chat/completions large'])
    expect(provider.calls.map(({ headers }) => headers.authorization)).toEqual(['Bearer k1', 'Bearer k2'])
    expect(await ask(from, 'away/x')).toMatchObject({ status: 200, provider: 'two' })
  })

  it("never sends a caller's own key to another model's provider", async () => {
    provider.script('/one/chat/completions', answering(503))
    const from = openWith({ MODEL_FALLBACKS: FALLBACKS, OPENROUTER_API_KEY: 'or' })
    const passThroughKey = { header: 'authorization', value: 'Bearer mine' } as const
    expect(await ask(from, 'one/small', { passThroughKey })).toMatchObject({ status: 503 })
    expect(provider.calls.map(({ headers }) => headers.authorization)).toEqual(['Bearer mine'])
    expect(() =>
      from.send({ path: '/messages', model: 'x/y', headers: [], passThroughKey, body: () => [] }, never),
    ).toThrow(/no provider "x"/)
  })

  it('sends keys in headers of other names to the provider that the model names alone', async () => {
    provider.script('/one/chat/completions', answering(503))
    const openRouter = { OPENROUTER_API_KEY: 'or', OPENROUTER_BASE_URL: `${provider.url}/or` }
    const headers = ['api-key', 'mine', 'X-Goog-Api-Key', 'mine', 'x-other', 'kept']
    await ask(openWith({ MODEL_FALLBACKS: FALLBACKS }), 'one/small', { headers })
    await ask(openWith(openRouter), 'nobody/x', { headers })
    expect(
      provider.calls.map(({ path, headers: got }) => [path, got['api-key'], got['x-goog-api-key'], got['x-other']]),
    ).toEqual([
      ['/one/chat/completions', 'mine', 'mine', 'kept'],
      ['/two/chat/completions', undefined, undefined, 'kept'],
      ['/or/chat/completions', undefined, undefined, 'kept'],
    ])
  })

  it('gives up on a silent provider, before its answer and within it', async () => {
    provider.script('/one/chat/completions', () => {})
    provider.script('/two/chat/completions', (response) => void response.write('a part'))
    const from = openWith({ MODEL_TIMEOUT_MS: '300' })
    const [before, within] = await Promise.all([ask(from, 'one/small'), ask(from, 'two/small')])
    expect(before.error).toMatchObject({ failure: 'timeout', provider: 'one' })
    expect(within).toMatchObject({ text: 'a part', error: { failure: 'timeout' } })
  })

  it('tells what went wrong, without addresses', async () => {
    provider.script('/one/chat/completions', (response) => void response.destroy())
    provider.script('/two/chat/completions', (response) => void response.write('a part', () => response.destroy()))
    const from = openWith({ MODEL_RETRIES: '0' })
    for (const [model, failure] of [
      ['away/x', 'unreachable'],
      ['one/x', 'unreachable'],
      ['two/x', 'broken_off'],
    ] as const) {
      const { error } = await ask(from, model)
      expect(error).toMatchObject({ failure })
      expect(error?.message).not.toMatch(/127|http/)
    }
  })

  it('stops a call that waits for its next try when its caller leaves', async () => {
    provider.script('/one/chat/completions', answering([503, { 'retry-after': '1' }]))
    const from = openWith({ MODEL_RETRIES: '3' })
    const request = {
      path: '/messages',
      model: 'two/x',
      headers: [],
      passThroughKey: undefined,
      body: () => Buffer.from('{}'),
    } as const
    from.send(request, never).abort()
    const call = from.send({ ...request, path: '/chat/completions', model: 'one/x' }, never)
    await vi.waitFor(() => expect(provider.calls).toHaveLength(1))
    call.abort()
    call.abort()
    await ask(from, 'two/later')
    expect(asked().at(-1)).toBe('/two/chat/completions later')
    expect(provider.calls).toHaveLength(2)
  })

  it('tells the sink, and nobody else, if its request cannot be made', async () => {
    const body = () => {
      throw new Error('no body')
    }
    expect(await ask(openWith(), 'one/x', { body })).toMatchObject({ error: { failure: 'unreachable' } })
    const headers = ['bad name', 'x']
    expect(await ask(openWith(), 'one/x', { headers })).toMatchObject({ error: { failure: 'unreachable' } })
  })

  it('sends a large body in parts, each time anew', async () => {
    provider.script('/one/chat/completions', answering([503, { 'retry-after': '0' }], 200))
    const body = (model: string) => [
      Buffer.from(`{"model":"${model}","x":"`),
      Buffer.alloc(300_000, 'x'),
      Buffer.from('"}'),
    ]
    expect(await ask(openWith({ MODEL_RETRIES: '1' }), 'one/m', { body })).toMatchObject({ status: 200 })
    expect(provider.calls.map((call) => call.body.equals(Buffer.concat(body('m'))))).toEqual([true, true])
  })
})

const never = {
  begin: () => expect.unreachable(),
  data: () => expect.unreachable(),
  end: () => expect.unreachable(),
  fail: () => expect.unreachable(),
}
