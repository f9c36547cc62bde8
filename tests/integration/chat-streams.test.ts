import { monitorEventLoopDelay } from 'node:perf_hooks'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messages } from '../../src/db/schema/messages.ts'
import { threads } from '../../src/db/schema/threads.ts'
import { until } from '../helpers/client.ts'
import { makeApp, type TestApp } from '../helpers/dialects.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type ScriptedModel, startScriptedModel } from '../helpers/scripted-model.ts'

const STREAMS = 100
const WORDS = 24

interface Format {
  readonly path: string
  readonly end: string
  body(text: string): object
}

const formats: readonly Format[] = [
  {
    path: '/v1/chat/completions',
    end: 'data: [DONE]',
    body: (text) => ({ model: 'openai/test-model', messages: [{ role: 'user', content: text }] }),
  },
  {
    path: '/v1/responses',
    end: 'event: response.completed',
    body: (text) => ({ model: 'openai/test-model', input: text }),
  },
  {
    path: '/v1/messages',
    end: 'event: message_stop',
    body: (text) => ({ model: 'anthropic/test-model', max_tokens: 99, messages: [{ role: 'user', content: text }] }),
  },
]

let model: ScriptedModel
let gateway: TestGateway
let app: TestApp

beforeAll(async () => {
  model = await startScriptedModel()
  gateway = await startGateway({ ...model.settings, RATE_LIMIT_PROXY_10S: '0' })
  app = await makeApp(gateway)
})
afterAll(async () => {
  await gateway?.close()
  await model?.close()
})

/** What it says no other stream does. */
const wordsOf = (stream: number) => Array.from({ length: WORDS }, (_, word) => `s${stream}w${word}.`).join(' ')
const threadOf = (stream: number) => ({ 'x-thread-id': `stream-${stream}`, 'x-resource-id': `user-${stream % 20}` })

interface Ending {
  readonly stream: number
  readonly isFinished: boolean
  /** `performance.now()`, where the client went. */
  readonly leftAt: number | undefined
}

/** Each fifth client goes when it has read a word, some early, some late; their answers would never end. */
const isLeft = (stream: number) => stream % 5 === 0
const lastWordOf = (stream: number) => `s${stream}w${(stream / 5) % (WORDS - 8)}.`

async function read(stream: number): Promise<Ending> {
  const { path, body, end } = formats[stream % formats.length]!
  const client = new AbortController()
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${app.key}`, 'content-type': 'application/json', ...threadOf(stream) },
    body: JSON.stringify({ ...body(`Repeat: ${wordsOf(stream)}`), stream: true }),
    signal: client.signal,
  })
  expect(response.status).toBe(200)
  const decoder = new TextDecoder()
  let text = ''
  let leftAt: number | undefined
  try {
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true })
      if (leftAt !== undefined || !isLeft(stream) || !text.includes(lastWordOf(stream))) continue
      leftAt = performance.now()
      client.abort()
    }
  } catch (error) {
    if (leftAt === undefined) throw error
  }
  return { stream, isFinished: text.includes(end), leftAt }
}

interface Stored {
  readonly role: string
  readonly text: string
  readonly reason: string | undefined
}

/** What the threads of all streams hold, by stream. */
async function storedByStream(): Promise<Map<number, Stored[]>> {
  const rows = await gateway.services.db
    .select({ thread: threads.externalId, message: messages })
    .from(messages)
    .innerJoin(threads, eq(threads.sessionId, messages.sessionId))
    .orderBy(messages.upstreamTimestamp)
  return Map.groupBy(
    rows.map(({ thread, message: { role, content, metadata } }) => ({
      stream: Number(thread.slice('stream-'.length)),
      role,
      text: content.map((item) => ('text' in item ? item.text : '[file]')).join(''),
      reason: metadata?.finish_reason,
    })),
    ({ stream }) => stream,
  ) as Map<number, Stored[]>
}

describe(`${STREAMS} chats that are streamed at a time, a fifth of which their clients leave`, () => {
  it('saves what was finished exactly once, mixes up none, and leaves no provider talking', async () => {
    model.behave(({ raw }) => {
      const stream = Number(/Repeat: s(\d+)w/.exec(raw.toString())?.[1])
      return { paceMs: 5, ...(isLeft(stream) && { stallAfter: WORDS - 2 }) }
    })
    const heldUp = monitorEventLoopDelay({ resolution: 1 })
    heldUp.enable()
    const endings = await Promise.all(Array.from({ length: STREAMS }, (_, stream) => read(stream)))
    heldUp.disable()
    const left = endings.filter(({ leftAt }) => leftAt !== undefined)
    expect(left).toHaveLength(STREAMS / 5)
    expect(endings.filter(({ isFinished }) => isFinished)).toHaveLength(STREAMS - left.length)

    // Durable before the client saw the end: nothing is waited for.
    const stored = await storedByStream()
    for (const { stream, isFinished } of endings) {
      if (!isFinished) continue
      expect(stored.get(stream)).toMatchObject([
        { role: 'user', text: `Repeat: ${wordsOf(stream)}` },
        { role: 'assistant', text: wordsOf(stream), reason: expect.stringMatching(/^(stop|end_turn|completed)$/) },
      ])
    }

    const requests = await until(
      async () => model.requests.filter(({ method }) => method === 'POST'),
      (all) => all.every(({ state }) => state !== 'open'),
    )
    expect(requests).toHaveLength(STREAMS)
    // A second, beside what this process, which is client, gateway and provider in one, was busy with.
    for (const { stream, leftAt = 0 } of left) {
      const request = requests.find(({ raw }) => raw.includes(`"Repeat: s${stream}w0.`))
      expect(request).toMatchObject({ state: 'left' })
      expect((request?.endedAt ?? Number.POSITIVE_INFINITY) - leftAt).toBeLessThan(1_000 + heldUp.max / 1e6)
    }

    // What had been said until then, which is on its way to the database.
    const cutOff = await until(storedByStream, (all) => left.every(({ stream }) => all.has(stream)))
    for (const { stream } of left) {
      const [asked, answer, ...more] = cutOff.get(stream) ?? []
      expect([asked?.text, more]).toEqual([`Repeat: ${wordsOf(stream)}`, []])
      expect(answer).toMatchObject({ role: 'assistant', reason: 'cut_off' })
      expect(wordsOf(stream).startsWith(answer?.text.trim() ?? '-')).toBe(true)
    }

    // The process is well.
    expect((await read(STREAMS + 1)).isFinished).toBe(true)
  }, 120_000)
})
