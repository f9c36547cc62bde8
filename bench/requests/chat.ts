import { randomUUID } from 'node:crypto'
import type { Answer, Exchange } from '../harness/caller-process.ts'
import { STREAM, WHOLE } from '../references/model-answers.ts'

export interface ChatOptions {
  readonly base: string
  /** Of the model's name. */
  readonly prefix: string
  readonly model?: string
  readonly isStream: boolean
  readonly headers: Readonly<Record<string, string>>
  /** Asks in threads, whose memory is noted where it was used. */
  readonly withThreads: boolean
  /** Whether an answer has to be the model's byte for byte, or only say the same. */
  readonly isSame: boolean
}

/** A thread has so many exchanges; then the next begins. */
const EXCHANGES = 10
const SUBJECTS = ['the harbour', 'my sister', 'the invoice of March', 'the green bicycle', 'the garden', 'our budget']
const SAID = textOf(STREAM, true)
const WHOLE_SAID = textOf(WHOLE, false)

/** Chats of one question; answers have to be the model's. */
export function exchanges(options: ChatOptions): (worker: number, turn: number) => Exchange {
  const threads: string[] = []
  return (worker, turn) => {
    if (turn % EXCHANGES === 0) threads[worker] = `bench:${randomUUID()}`
    const content = `Question ${turn}: what do you know about ${SUBJECTS[turn % SUBJECTS.length]} and the plans for Bergen today?`
    return {
      origin: options.base,
      path: '/v1/chat/completions',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...options.headers,
        ...(options.withThreads && { 'x-thread-id': threads[worker] ?? '' }),
      },
      body: JSON.stringify({
        model: `${options.prefix}${options.model ?? 'bench'}`,
        messages: [{ role: 'user', content }],
        ...(options.isStream && { stream: true }),
      }),
      check: (answer) => check(answer, options),
    }
  }
}

function check({ status, headers, body }: Answer, { isStream, isSame, withThreads, base }: ChatOptions): boolean {
  const text = body.toString()
  const memory = String(headers['x-memory-status'] ?? '')
  const isRight = isSame
    ? text === (isStream ? STREAM : WHOLE)
    : status === 200 && textOf(text, isStream) === (isStream ? SAID : WHOLE_SAID)
  if (status !== 200 || !isRight || withThreads !== (memory !== '')) {
    throw new Error(`${base}: ${status}, memory "${memory}", ${text.slice(0, 300)}`)
  }
  return memory === 'used'
}

/** What an answer says. */
function textOf(answer: string, isStream: boolean): string {
  if (!isStream) return (JSON.parse(answer) as Whole).choices[0]?.message.content ?? ''
  const events = answer.split('\n').filter((line) => line.startsWith('data: {'))
  return events.map((line) => (JSON.parse(line.slice(6)) as Chunk).choices[0]?.delta.content ?? '').join('')
}

interface Whole {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
}
interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
}
