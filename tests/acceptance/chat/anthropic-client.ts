import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { picture } from '../../helpers/client.ts'
import { PROVIDER_KEYS } from '../../helpers/scripted-model.ts'
import type { Caller, ClientSuite } from './suite.ts'

const max_tokens = 1024
const hello = [{ role: 'user' as const, content: 'Hello World!' }]
const say = (content: string) => ({ messages: [{ role: 'user' as const, content }], max_tokens })

function connect({ origin, key, headers }: Caller, more: object = {}): Anthropic {
  return new Anthropic({ baseURL: origin, apiKey: key, defaultHeaders: headers, maxRetries: 0, ...more })
}

const textOf = ({ content }: Anthropic.Message) =>
  content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('')

/** Anthropic's own client, unchanged but for its base URL, key and headers. */
export function anthropicClient({ mode, model: scripted, modelOf, newCaller }: ClientSuite): void {
  const model = modelOf('anthropic')
  const open = () => connect(newCaller())

  it('sends messages, and passes every field on as it was sent', async () => {
    const client = open()
    scripted().sent()
    const body = {
      model,
      messages: hello,
      max_tokens,
      system: 'Be brief.',
      temperature: 0.5,
      metadata: { user_id: 'u' },
    }
    const headers = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'files-api-2025-04-14' }
    const message = await client.messages.create(body, { headers })
    expect(textOf(message)).toContain('test-model')
    expect(message).toMatchObject({
      role: 'assistant',
      stop_reason: 'end_turn',
      usage: { input_tokens: expect.any(Number) },
    })
    const [sent] = scripted().sent()
    expect(sent?.body).toEqual({ ...body, model: 'test-model' })
    expect(sent?.headers).toMatchObject(headers)
  })

  it('knows within a thread what was said, and nothing without one', async () => {
    const client = open()
    await client.messages.create({ model, ...say('My name is Alex and I prefer concise answers.') })
    const answer = await client.messages.create({ model, ...say('What is my name?') })
    expect(textOf(answer)).toBe(mode === 'thread' ? 'Alex' : 'I do not know.')
  })

  it('streams', async () => {
    const client = open()
    const stream = client.messages.stream({ model, ...say('Repeat: one two three four') })
    const texts: string[] = []
    stream.on('text', (text) => texts.push(text))
    expect(textOf(await stream.finalMessage())).toBe('one two three four')
    expect(texts.length).toBeGreaterThan(3)
    const raw = await client.messages.create({ model, ...say('Repeat: five six'), stream: true })
    const types = (await Array.fromAsync(raw)).map(({ type }) => type)
    expect([types[0], types.at(-1)]).toEqual(['message_start', 'message_stop'])
  })

  // Its tool runner has the provider hold the conversation, and sends only what is new, unless it is told not to.
  it.each([
    { stream: false, threads: true },
    { stream: true, threads: true },
    { stream: false, threads: false },
    { stream: true, threads: false },
  ])('calls tools, several at once, and uses what they say: $stream, $threads', async ({ stream, threads }) => {
    const client = open()
    const weather = betaZodTool({
      name: 'get_weather',
      description: 'Tells the weather of a city.',
      inputSchema: z.object({ city: z.string() }),
      run: ({ city }) => `${city} is sunny.`,
    })
    scripted().sent()
    const asked = {
      model,
      system: 'Be brief.',
      ...say('What is the weather in Oslo and Rome?'),
      tools: [weather],
      ...(!threads && { thread: false as const }),
    }
    const last = stream
      ? await client.beta.messages.toolRunner({ ...asked, stream: true }).runUntilDone()
      : await client.beta.messages.toolRunner(asked).runUntilDone()
    expect(last.content).toMatchObject([{ type: 'text', text: 'The tools say: Oslo is sunny. Rome is sunny.' }])
    const sent = scripted().sent()
    expect(sent.map(({ body: { messages } }) => messages.map(({ role }: { role: string }) => role))).toEqual([
      ['user'],
      threads ? ['user'] : ['user', 'assistant', 'user'],
    ])
  })

  it('parses structured output', async () => {
    const client = open()
    const { parsed_output: person } = await client.messages.parse({
      model,
      ...say('My name is Alex. Who is this?'),
      output_config: { format: zodOutputFormat(z.object({ name: z.string() })) },
    })
    expect(person).toEqual({ name: 'Alex' })
  })

  it('shows pictures and documents', async () => {
    const client = open()
    const data = Buffer.from(picture).toString('base64')
    const content = [
      { type: 'image' as const, source: { type: 'base64' as const, media_type: 'image/png' as const, data } },
      {
        type: 'document' as const,
        title: 'note.txt',
        source: { type: 'text' as const, media_type: 'text/plain' as const, data: 'The heron.' },
      },
      { type: 'text' as const, text: 'What do you see?' },
    ]
    const message = await client.messages.create({ model, max_tokens, messages: [{ role: 'user', content }] })
    const seen = `I see 1 picture (image/png, ${picture.length} bytes) and 1 file (text/plain, 10 bytes).`
    expect(textOf(message)).toBe(seen)
  })

  it('lists models', async () => {
    const names = (await Array.fromAsync(await open().models.list())).map(({ id }) => id)
    expect(names).toContain(model)
  })

  it.each([
    { status: 400, kind: Anthropic.BadRequestError },
    { status: 401, kind: Anthropic.AuthenticationError },
    { status: 404, kind: Anthropic.NotFoundError },
    { status: 429, kind: Anthropic.RateLimitError },
    { status: 500, kind: Anthropic.InternalServerError },
    { status: 529, kind: Anthropic.InternalServerError },
  ])("raises the provider's $status as its own kind of error", async ({ status, kind }) => {
    const client = open()
    scripted().behave({ status, headers: { 'retry-after': '7' } })
    try {
      const error = await client.messages
        .create({ model, messages: hello, max_tokens })
        .catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(kind)
      expect(error).toMatchObject({ status, message: expect.stringContaining('test-model was told to answer') })
      expect((error as { headers: Headers }).headers.get('retry-after')).toBe('7')
    } finally {
      scripted().behave(undefined)
    }
  })

  it('raises what breaks off in mid-stream', async () => {
    const client = open()
    scripted().behave({ breakAfter: 4 })
    try {
      const stream = client.messages.stream({ model, ...say('Repeat: one two three four') })
      await expect(stream.finalMessage()).rejects.toThrow()
    } finally {
      scripted().behave(undefined)
    }
  })

  it.runIf(mode !== 'model')('brings its own provider key beside the key of the gateway', async () => {
    const caller = newCaller()
    const gatewayKey = { 'X-Memory-Gateway-Authorization': `Bearer ${caller.key}` }
    scripted().sent()
    const own = 'sk-ant-my-own-key'
    for (const more of [{}, { authorization: null, 'x-api-key': own }]) {
      const headers = { ...caller.headers, ...gatewayKey, ...more }
      await connect({ ...caller, key: own, headers: headers as Record<string, string> }).messages.create({
        model,
        ...say('Hello!'),
      })
    }
    const sent = scripted().sent()
    expect(sent.map(({ headers }) => [headers.authorization, headers['x-api-key']])).toEqual([
      [`Bearer ${own}`, undefined],
      [undefined, own],
    ])
    expect(JSON.stringify(sent.map(({ headers }) => headers))).not.toContain(caller.key)
  })

  it.runIf(mode !== 'model')('has the key of the gateway in x-api-key', async () => {
    const caller = newCaller()
    const headers = { ...caller.headers, authorization: null, 'x-api-key': caller.key }
    const client = new Anthropic({ baseURL: caller.origin, apiKey: 'none', defaultHeaders: headers, maxRetries: 0 })
    scripted().sent()
    expect(textOf(await client.messages.create({ model, ...say('Repeat: well') }))).toBe('well')
    expect(scripted().sent()[0]?.headers['x-api-key']).toBe(PROVIDER_KEYS.anthropic)
  })

  it.runIf(mode !== 'model')('raises errors of the gateway', async () => {
    const caller = newCaller()
    const create = (more: Partial<Caller>, asked = model) =>
      connect({ ...caller, ...more }).messages.create({ model: asked, messages: hello, max_tokens })
    const wrongKey = `mgk_live_${'x'.repeat(43)}`
    const refused = await create({ key: wrongKey }).catch((thrown: unknown) => thrown)
    expect(refused).toBeInstanceOf(Anthropic.AuthenticationError)
    expect(refused).toMatchObject({ error: { type: 'error', error: { type: 'authentication_error' } } })
    await expect(create({ headers: { 'x-thread-id': 'alone' } })).rejects.toBeInstanceOf(Anthropic.BadRequestError)
    await expect(create({}, '')).rejects.toBeInstanceOf(Anthropic.BadRequestError)
    if (mode !== 'thread') return
    await create({})
    const stranger = { ...caller.headers, 'x-resource-id': 'somebody-else' }
    await expect(create({ headers: stranger })).rejects.toBeInstanceOf(Anthropic.NotFoundError)
  })
}
