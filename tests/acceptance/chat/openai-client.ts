import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { picture } from '../../helpers/client.ts'
import type { Caller, ClientSuite } from './suite.ts'

const Person = z.object({ name: z.string(), languages: z.array(z.string()), age: z.number().nullable() })
const dataUrl = `data:image/png;base64,${Buffer.from(picture).toString('base64')}`
const PICTURE = `1 picture (image/png, ${picture.length} bytes)`
const hello = [{ role: 'user' as const, content: 'Hello World!' }]

function connect({ baseUrl, key, headers }: Caller, more: object = {}): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey: key, defaultHeaders: headers, maxRetries: 0, ...more })
}

/** OpenAI's own client, unchanged but for its base URL, key and headers. */
export function openAiClient({ mode, model: scripted, modelOf, newCaller }: ClientSuite): void {
  const model = modelOf('openai')
  const open = () => connect(newCaller())

  it('chats, and passes every field on as it was sent', async () => {
    const client = open()
    scripted().sent()
    const body = { model, messages: hello, temperature: 0.25, seed: 7, metadata: { a: 'b' }, user: 'someone' }
    const { choices, usage } = await client.chat.completions.create(body)
    expect(choices[0]?.message.content).toContain('test-model')
    expect(usage?.total_tokens).toBeGreaterThan(10)
    const [sent] = scripted().sent()
    expect(sent?.body).toEqual({ ...body, model: 'test-model' })
  })

  it('knows within a thread what was said, and nothing without one', async () => {
    const client = open()
    const ask = async (content: string) => {
      const { choices } = await client.chat.completions.create({ model, messages: [{ role: 'user', content }] })
      return choices[0]?.message.content
    }
    await ask('My name is Alex and I prefer concise answers.')
    expect(await ask('What is my name?')).toBe(mode === 'thread' ? 'Alex' : 'I do not know.')
  })

  it('streams, with the usage if it is asked for', async () => {
    const client = open()
    const messages = [{ role: 'user' as const, content: 'Repeat: one two three four' }]
    const chunks = await Array.fromAsync(
      await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } }),
    )
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('one two three four')
    expect(chunks.length).toBeGreaterThan(5)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } })
    const helper = client.chat.completions.stream({ model, messages })
    expect(await helper.finalContent()).toBe('one two three four')
  })

  it.each([false, true])('calls tools, several at once, and uses what they say; streaming: %s', async (stream) => {
    const client = open()
    const asked: string[] = []
    const weather = {
      name: 'get_weather',
      description: 'Tells the weather of a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      parse: JSON.parse,
      function: ({ city }: { city: string }) => {
        asked.push(city)
        return `${city} is sunny.`
      },
    }
    const body = {
      model,
      messages: [{ role: 'user' as const, content: 'What is the weather in Oslo and Rome?' }],
      tools: [{ type: 'function' as const, function: weather }],
    }
    scripted().sent()
    const runner = stream
      ? client.chat.completions.runTools({ ...body, stream: true })
      : client.chat.completions.runTools(body)
    expect(await runner.finalContent()).toBe('The tools say: Oslo is sunny. Rome is sunny.')
    expect(asked.toSorted()).toEqual(['Oslo', 'Rome'])
    const sent = scripted().sent()
    expect(sent.map(({ body: { messages } }) => rolesOf(messages))).toEqual([
      ['user'],
      ['user', 'assistant', 'tool', 'tool'],
    ])
  })

  it('parses structured output', async () => {
    const client = open()
    const { choices } = await client.chat.completions.parse({
      model,
      messages: [{ role: 'user', content: 'My name is Alex. Who is this? I am 41.' }],
      response_format: zodResponseFormat(Person, 'person'),
    })
    expect(choices[0]?.message.parsed).toMatchObject({ name: 'Alex', languages: [expect.any(String)], age: 41 })
  })

  it('shows pictures', async () => {
    const client = open()
    const content = [
      { type: 'text' as const, text: 'What is in this picture?' },
      { type: 'image_url' as const, image_url: { url: dataUrl, detail: 'low' as const } },
    ]
    const { choices } = await client.chat.completions.create({ model, messages: [{ role: 'user', content }] })
    expect(choices[0]?.message.content).toBe(`I see ${PICTURE}.`)
  })

  it('uses the responses API: whole, streamed, with tools, parsed, with pictures', async () => {
    const client = open()
    const whole = await client.responses.create({ model, input: 'Repeat: one two three' })
    expect(whole.output_text).toBe('one two three')

    const stream = client.responses.stream({ model, input: 'Repeat: four five six' })
    const deltas: string[] = []
    for await (const event of stream) if (event.type === 'response.output_text.delta') deltas.push(event.delta)
    expect(deltas.join('')).toBe('four five six')
    expect((await stream.finalResponse()).output_text).toBe('four five six')

    const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
    const tools = [{ type: 'function' as const, name: 'get_weather', parameters, strict: false }]
    const question = { role: 'user' as const, content: 'What is the weather in Oslo?' }
    const called = await client.responses.create({ model, input: [question], tools })
    expect(called.output).toMatchObject([{ type: 'function_call', name: 'get_weather', arguments: '{"city":"Oslo"}' }])
    const results = called.output.flatMap((item) =>
      item.type === 'function_call'
        ? [item, { type: 'function_call_output' as const, call_id: item.call_id, output: 'Oslo is sunny.' }]
        : [],
    )
    const told = await client.responses.create({ model, input: [question, ...results], tools })
    expect(told.output_text).toBe('The tools say: Oslo is sunny.')

    const parsed = await client.responses.parse({
      model,
      input: 'My name is Alex. Who is this?',
      text: { format: zodTextFormat(Person, 'person') },
    })
    expect(parsed.output_parsed).toMatchObject({ name: 'Alex' })

    const content = [
      { type: 'input_text' as const, text: 'What is in this picture?' },
      { type: 'input_image' as const, image_url: dataUrl, detail: 'auto' as const },
    ]
    const seen = await client.responses.create({ model, input: [{ role: 'user', content }] })
    expect(seen.output_text).toBe(`I see ${PICTURE}.`)
  })

  it('remembers over the responses API as over chat completions', async () => {
    const client = open()
    await client.responses.create({ model, input: 'My name is Alex.' })
    const { output_text: answer } = await client.responses.create({ model, input: 'What is my name?' })
    expect(answer).toBe(mode === 'thread' ? 'Alex' : 'I do not know.')
  })

  it('lists models', async () => {
    const names = (await Array.fromAsync(await open().models.list())).map(({ id }) => id)
    expect(names).toContain(model)
  })

  it.each([
    { status: 400, kind: OpenAI.BadRequestError },
    { status: 401, kind: OpenAI.AuthenticationError },
    { status: 403, kind: OpenAI.PermissionDeniedError },
    { status: 404, kind: OpenAI.NotFoundError },
    { status: 422, kind: OpenAI.UnprocessableEntityError },
    { status: 429, kind: OpenAI.RateLimitError },
    { status: 500, kind: OpenAI.InternalServerError },
    { status: 503, kind: OpenAI.InternalServerError },
  ])("raises the provider's $status as its own kind of error", async ({ status, kind }) => {
    const client = open()
    scripted().behave({ status, headers: { 'retry-after': '7' } })
    try {
      const error = await client.chat.completions.create({ model, messages: hello }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(kind)
      expect(error).toMatchObject({ status, message: expect.stringContaining('test-model was told to answer') })
      expect((error as { headers: Headers }).headers.get('retry-after')).toBe('7')
    } finally {
      scripted().behave(undefined)
    }
  })

  it('raises what breaks off in mid-stream', async () => {
    const client = open()
    scripted().behave({ breakAfter: 3 })
    try {
      const messages = [{ role: 'user' as const, content: 'Repeat: one two three four' }]
      const read = async () => Array.fromAsync(await client.chat.completions.create({ model, messages, stream: true }))
      await expect(read()).rejects.toThrow()
    } finally {
      scripted().behave(undefined)
    }
  })

  it.runIf(mode === 'thread')('takes the headers with one call too', async () => {
    const caller = newCaller()
    const client = connect({ ...caller, headers: {} })
    const { headers } = caller
    await client.chat.completions.create(
      { model, messages: [{ role: 'user', content: 'My name is Kim.' }] },
      { headers },
    )
    const { data, response } = await client.chat.completions
      .create({ model, messages: [{ role: 'user', content: 'What is my name?' }] }, { headers })
      .withResponse()
    expect(data.choices[0]?.message.content).toBe('Kim')
    expect(response.headers.get('x-memory-status')).toBe('used')
  })

  it.runIf(mode !== 'model')('raises errors of the gateway', async () => {
    const caller = newCaller()
    const create = (more: Partial<Caller>, asked = model) =>
      connect({ ...caller, ...more }).chat.completions.create({ model: asked, messages: hello })
    const wrongKey = `mgk_live_${'x'.repeat(43)}`
    await expect(create({ key: wrongKey })).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
    await expect(create({ headers: { 'x-thread-id': 'alone' } })).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(create({}, '')).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    if (mode !== 'thread') return
    await create({})
    const stranger = { ...caller.headers, 'x-resource-id': 'somebody-else' }
    await expect(create({ headers: stranger })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })
}

/** Without what the gateway may have put before them. */
function rolesOf(messages: readonly { role: string }[]): string[] {
  return messages.map(({ role }) => role).filter((role) => role !== 'system')
}
