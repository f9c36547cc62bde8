import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { picture } from '../../helpers/client.ts'
import type { Caller, ClientSuite } from './suite.ts'

const weather = tool({
  description: 'Tells the weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => `${city} is sunny.`,
})

function provider({ baseUrl, key, headers }: Caller) {
  return createOpenAICompatible({
    name: 'gateway',
    baseURL: baseUrl,
    apiKey: key,
    headers,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
}

/** The AI SDK with its provider for OpenAI-compatible servers. */
export function aiSdkClient({ mode, model: scripted, modelOf, newCaller }: ClientSuite): void {
  const model = modelOf('own')
  const open = (caller = newCaller()) => ({ model: provider(caller)(model), maxRetries: 0 })

  it('generates text, with instructions before what memory adds', async () => {
    const with_ = open()
    const prompt = 'My name is Alex and I prefer concise answers.'
    const first = await generateText({ ...with_, instructions: 'You are a helpful assistant.', prompt })
    expect(first.text).toBe('Nice to meet you, Alex.')
    expect(first.usage.totalTokens).toBeGreaterThan(10)
    scripted().sent()
    const instructions = 'You are a helpful assistant.'
    const { text } = await generateText({ ...with_, instructions, prompt: 'What is my name?' })
    expect(text).toBe(mode === 'thread' ? 'Alex' : 'I do not know.')
    const [sent] = scripted().sent()
    expect(sent?.body.messages[0]).toEqual({ role: 'system', content: instructions })
    expect(sent?.body.messages.at(-1)).toEqual({ role: 'user', content: 'What is my name?' })
  })

  it('streams text', async () => {
    const { textStream, text, usage } = streamText({ ...open(), prompt: 'Repeat: one two three four' })
    expect((await Array.fromAsync(textStream)).length).toBeGreaterThan(3)
    expect(await text).toBe('one two three four')
    expect((await usage).outputTokens).toBeGreaterThan(1)
  })

  it('calls tools in several steps, streaming too', async () => {
    const asked = {
      prompt: 'What is the weather in Oslo and Rome?',
      tools: { get_weather: weather },
      stopWhen: isStepCount(4),
    }
    const said = 'The tools say: Oslo is sunny. Rome is sunny.'
    const { text, steps } = await generateText({ ...open(), ...asked })
    expect(text).toBe(said)
    expect(steps.map(({ toolCalls }) => toolCalls.length)).toEqual([2, 0])
    expect(await streamText({ ...open(), ...asked }).text).toBe(said)
  })

  it('makes structured output', async () => {
    const schema = z.object({ name: z.string(), languages: z.array(z.string()) })
    const asked = { prompt: 'My name is Alex. Who is this?', output: Output.object({ schema }) }
    const { output } = await generateText({ ...open(), ...asked })
    expect(output).toMatchObject({ name: 'Alex', languages: [expect.any(String)] })
    expect(await streamText({ ...open(), ...asked }).output).toEqual(output)
  })

  it('shows pictures', async () => {
    const content = [
      { type: 'text' as const, text: 'What is in this picture?' },
      { type: 'file' as const, mediaType: 'image/png', data: picture },
    ]
    const { text } = await generateText({ ...open(), messages: [{ role: 'user', content }] })
    expect(text).toBe(`I see 1 picture (image/png, ${picture.length} bytes).`)
  })

  it('tells of errors, and which may be tried again', async () => {
    const asked = { ...open(), prompt: 'Hello' }
    const fails = (how: object) => {
      scripted().behave(how)
      return generateText(asked).catch((error: unknown) => error)
    }
    try {
      const limited = await fails({ status: 429, headers: { 'retry-after': '7' } })
      expect(APICallError.isInstance(limited)).toBe(true)
      expect(limited).toMatchObject({ statusCode: 429, isRetryable: true, responseHeaders: { 'retry-after': '7' } })
      expect(await fails({ status: 400 })).toMatchObject({ statusCode: 400, isRetryable: false })
    } finally {
      scripted().behave(undefined)
    }
  })
}
