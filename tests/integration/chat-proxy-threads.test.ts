import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { GREETING, messageAnswers, responseAnswers } from '../helpers/chat-streams.ts'
import { call } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeAccount } from '../helpers/service.ts'
import { postBytes, type StubProvider, startStubProvider, writeParts } from '../helpers/stub-provider.ts'

let gateway: TestGateway
let provider: StubProvider
let key: string
let counter = 0

beforeAll(async () => {
  provider = await startStubProvider()
  gateway = await startGateway({
    MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url } }),
    MEMORY_WAIT_MS: '5000',
  })
  key = (await makeAccount(gateway)).apiKey
})
afterAll(async () => {
  await gateway.close()
  await provider.close()
})

/** A thread of its own, and what its client does. */
function newThread(resource = `user-${counter}`, id = `thread-${++counter}`) {
  const headers = { authorization: `Bearer ${key}`, 'x-thread-id': id, 'x-resource-id': resource }
  return {
    id,
    headers,
    post: (path: string, body: object | string, more: Record<string, string> = {}) =>
      postBytes(gateway.url + path, typeof body === 'string' ? body : JSON.stringify(body), { ...headers, ...more }),
    async stored() {
      const url = `${gateway.url}/v1/memory/threads/${id}/messages?order=ASC`
      const { body } = await call(url, { headers: { authorization: `Bearer ${key}` } })
      return (body.messages ?? []).map((message: { role: string }) => message)
    },
  }
}

const completion = (text: string) =>
  JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] })
const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
const stop = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
const ask = (text: string, more: object = {}) => ({
  model: 'local/small',
  messages: [{ role: 'user', content: text }],
  ...more,
})

describe('a chat in a thread', () => {
  it('is stored when its answer has come, and comes back with the next one', async () => {
    const thread = newThread()
    provider.script('alex', (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(completion('Hello Alex.'))
    })
    const first = await thread.post('/v1/chat/completions', ask('My name is Alex.'), { 'x-script': 'alex' })
    expect([first.status, first.bytes.toString()]).toEqual([200, completion('Hello Alex.')])
    expect(first.headers['x-memory-status']).toBe('none')
    expect(provider.calls.at(-1)!.body.toString()).toBe(JSON.stringify(ask('My name is Alex.')).replace('local/', ''))
    expect(provider.calls.at(-1)!.headers['accept-encoding']).toBe('identity')
    expect(await thread.stored()).toMatchObject([{ role: 'user' }, { role: 'assistant' }])

    const second = await thread.post('/v1/chat/completions', ask('What is my name?'), { 'x-script': 'alex' })
    expect(second.headers).toMatchObject({ 'x-memory-status': 'used', 'x-memory-messages': '2' })
    const sent = JSON.parse(provider.calls.at(-1)!.body.toString())
    expect(JSON.stringify(sent.messages)).toContain('My name is Alex.')
    expect(sent.messages.at(-1)).toEqual({ role: 'user', content: 'What is my name?' })
    expect(await thread.stored()).toHaveLength(4)
  })

  it('shows the end of a stream when it is stored, and all before at once', async () => {
    const thread = newThread()
    provider.script('stream', async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      await writeParts(response, [delta('Hel'), delta('lo.'), stop])
      await new Promise<void>((resolve) => provider.script('release', () => resolve()))
      response.end('data: [DONE]\n\n')
    })
    const sent = httpRequest(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { ...thread.headers, 'x-script': 'stream' },
    })
    sent.end(JSON.stringify(ask('Hello', { stream: true })))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    answer.on('data', (chunk: Buffer) => void (text += chunk))
    await vi.waitFor(() => expect(text).toBe(delta('Hel') + delta('lo.') + stop))
    expect(await thread.stored()).toEqual([])
    void postBytes(`${provider.url}/chat/completions`, '{}', { 'x-script': 'release' }).catch(() => {})
    await once(answer, 'end')
    expect(text).toBe(`${delta('Hel')}${delta('lo.')}${stop}data: [DONE]\n\n`)
    expect(await thread.stored()).toHaveLength(2)
  })

  it('keeps nothing of an error, which passes as it is', async () => {
    const thread = newThread()
    const body = '{"error":{"message":"no  such model","code":"x"}}'
    provider.script(
      'error',
      (response) => void response.writeHead(404, { 'content-type': 'application/json' }).end(body),
    )
    const answer = await thread.post('/v1/chat/completions', ask('Hello'), { 'x-script': 'error' })
    expect([answer.status, answer.bytes.toString()]).toEqual([404, body])
    expect((await thread.post('/v1/chat/completions', { ...ask('Hello'), model: 'nobody/x' })).status).toBe(400)
    expect(await thread.stored()).toEqual([])
  })

  it.each(['the provider breaks off', 'the client leaves'])('keeps what was said until %s', async (what) => {
    const thread = newThread()
    provider.script('cut', async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      await writeParts(response, [delta('Half an ')])
      if (what === 'the provider breaks off') response.destroy()
    })
    const sent = httpRequest(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { ...thread.headers, 'x-script': 'cut' },
    })
    sent.on('error', () => {})
    sent.end(JSON.stringify(ask('Tell me all', { stream: true })))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.on('error', () => {})
    const over = new Promise((resolve) => answer.once('close', resolve))
    let text = ''
    answer.on('data', (chunk: Buffer) => void (text += chunk))
    await vi.waitFor(() => expect(text).toContain('Half an'))
    if (what === 'the client leaves') sent.destroy()
    await over
    if (what !== 'the client leaves') expect(text).toContain('"error"')
    await vi.waitFor(async () => expect(await thread.stored()).toHaveLength(2))
    expect(JSON.stringify(await thread.stored())).toContain('Half an')
  })

  it('goes on without a memory that fails, says so, and is kept', async () => {
    const thread = newThread()
    await thread.post('/v1/chat/completions', ask('My name is Alex.'), { 'x-script': 'alex' })
    const { recall } = gateway.services
    Object.assign(gateway.services, { recall: undefined })
    const answer = await thread.post('/v1/chat/completions', ask('And you?'), { 'x-script': 'alex' })
    Object.assign(gateway.services, { recall })
    expect([answer.status, answer.headers['x-memory-status']]).toEqual([200, 'unavailable'])
    expect(JSON.parse(provider.calls.at(-1)!.body.toString()).messages).toHaveLength(1)
    expect(await thread.stored()).toHaveLength(4)
  })

  it.each([
    { limits: 'the search', searchMs: 20, waitMs: 5_000, status: 'used', asked: 3 },
    { limits: 'all of the memory', searchMs: 60_000, waitMs: 200, status: 'unavailable', asked: 1 },
  ])('waits for a backend that never answers only as long as $limits may take', async (time) => {
    const thread = newThread()
    await thread.post('/v1/chat/completions', ask('My name is Alex.'), { 'x-script': 'alex' })
    const { services } = gateway
    const { backend, recall, config } = services
    Object.assign(services, {
      backend: { ...backend, search: () => new Promise(() => {}) },
      recall: { ...recall, searchMs: time.searchMs },
      config: { ...config, memoryWaitMs: time.waitMs },
    })
    const answer = await thread.post('/v1/chat/completions', ask('What is my name?'), { 'x-script': 'alex' })
    Object.assign(services, { backend, recall, config })
    expect([answer.status, answer.headers['x-memory-status']]).toEqual([200, time.status])
    expect(answer.headers['x-memory-ids']).toBeUndefined()
    expect(JSON.parse(provider.calls.at(-1)!.body.toString()).messages).toHaveLength(time.asked)
    expect(await thread.stored()).toHaveLength(4)
  })

  it.each([
    ['/v1/messages', messageAnswers, (text: string) => ask(text, { max_tokens: 99 }), 'messages'],
    ['/v1/responses', responseAnswers, (input: string) => ({ model: 'local/small', input }), 'input'],
  ] as const)('on %s has what was said before, as JSON and as a stream', async (path, answers, body, list) => {
    const thread = newThread()
    provider.script(`${path} json`, (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(answers.json)
    })
    provider.script(`${path} stream`, (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(answers.stream)
    })
    const first = await thread.post(path, body('My name is Alex.'), { 'x-script': `${path} json` })
    expect(first.bytes.toString()).toBe(answers.json)
    const streamed = { ...body('What is my name?'), stream: true }
    const second = await thread.post(path, streamed, { 'x-script': `${path} stream` })
    expect(second.bytes.toString()).toBe(answers.stream)
    expect(second.headers).toMatchObject({ 'x-memory-status': 'used', 'x-memory-messages': '2' })
    const sent = JSON.parse(provider.calls.at(-1)!.body.toString())[list] as { role: string }[]
    const turns = sent.filter(({ role }) => role === 'user' || role === 'assistant')
    expect(turns.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    const [asked, answered, last] = turns.map((turn) => JSON.stringify(turn))
    expect(asked).toContain('My name is Alex.')
    expect(answered).toContain(JSON.stringify(GREETING).slice(1, -1))
    expect(last).toContain('What is my name?')
    const stored = await thread.stored()
    expect(stored).toMatchObject(['user', 'assistant', 'user', 'assistant'].map((role) => ({ role })))
    // The next may come by another API: the thread is the same.
    await thread.post('/v1/chat/completions', ask('And now?'), { 'x-script': 'alex' })
    expect(JSON.stringify(JSON.parse(provider.calls.at(-1)!.body.toString()))).toContain('What is my name?')
    expect(await thread.stored()).toHaveLength(6)
  })

  it('is refused in the thread of another resource, and nothing is sent on', async () => {
    const thread = newThread()
    await thread.post('/v1/chat/completions', ask('Mine'))
    const before = provider.calls.length
    const other = newThread('somebody-else', thread.id)
    const { status, bytes } = await other.post('/v1/chat/completions', ask('Whose?'))
    expect([status, JSON.parse(bytes.toString()).error.type]).toEqual([404, 'not_found'])
    expect(provider.calls).toHaveLength(before)
  })
})
