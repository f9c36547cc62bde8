import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher } from 'undici'
import { ENDLESS, STREAM, WHOLE } from './answers.ts'

// A process of the benchmark: does what it is told to, and tells how long it took. An answer that is not the model's, byte for byte, ends it.

export interface Task {
  readonly base: string
  readonly isStream: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly prefix: string
  readonly withThreads: boolean
  readonly requests: number
  readonly atATime: number
}

export interface Times {
  /** Milliseconds until the first byte of each answer, and until its last. */
  readonly first: readonly number[]
  readonly last: readonly number[]
  /** Milliseconds of all. */
  readonly all: number
  /** How many were given something of their memory. */
  readonly remembered: number
}

/** A conversation has so many exchanges; then the next begins. */
const EXCHANGES = 10
const STREAMS = 40
const SUBJECTS = ['the harbour', 'my sister', 'the invoice of March', 'the green bicycle', 'the garden', 'our budget']

const agent = new Agent({ connections: 256, pipelining: 1 })

process.on('message', (task: Task | { readonly leave: Task; readonly model: string }) => {
  const work = 'leave' in task ? leave(task.leave, task.model) : run(task)
  work.then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())

async function run(task: Task): Promise<Times> {
  const [first, last]: [number[], number[]] = [[], []]
  let [left, remembered] = [task.requests, 0]
  const work = async () => {
    let thread = ''
    for (let turn = 0; left-- > 0; turn++) {
      if (turn % EXCHANGES === 0) thread = `bench:${randomUUID()}`
      const took = await ask(task, thread, turn)
      first.push(took.first)
      last.push(took.last)
      if (took.isRemembered) remembered++
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: task.atATime }, work))
  return { first, last, all: performance.now() - began, remembered }
}

interface Taken {
  readonly first: number
  readonly last: number
  readonly isRemembered: boolean
}

function ask(task: Task, thread: string, turn: number): Promise<Taken> {
  const content = `Question ${turn}: what do you know about ${SUBJECTS[turn % SUBJECTS.length]} and the plans for Bergen today?`
  const began = performance.now()
  let [first, status, remembered] = [0, 0, '']
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    agent.dispatch(request(task, { content, thread, model: 'bench' }), {
      onRequestStart: () => {},
      onResponseStart: (_, code, headers) => {
        status = code
        remembered = String(headers['x-memory-status'] ?? '')
      },
      onResponseData: (_, chunk) => {
        first ||= performance.now() - began
        chunks.push(chunk)
      },
      onResponseEnd: () => {
        const last = performance.now() - began
        const body = Buffer.concat(chunks).toString()
        const isRight = status === 200 && body === (task.isStream ? STREAM : WHOLE)
        const hasStatus = task.withThreads ? remembered !== '' : remembered === ''
        if (isRight && hasStatus) resolve({ first, last, isRemembered: remembered === 'used' })
        else reject(new Error(`${task.base}: ${status}, memory "${remembered}", ${body.slice(0, 300)}`))
      },
      onResponseError: (_, error) => reject(error),
    })
  })
}

function request(
  { base, isStream, headers, prefix, withThreads }: Task,
  { content, thread, model }: { content: string; thread: string; model: string },
): Dispatcher.DispatchOptions {
  const body = JSON.stringify({
    model: `${prefix}${model}`,
    messages: [{ role: 'user', content }],
    ...(isStream && { stream: true }),
  })
  return {
    origin: base,
    path: '/v1/chat/completions',
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, ...(withThreads && { 'x-thread-id': thread }) },
    body,
  }
}

/** Begins streams that never end, leaves them, and tells how many the model still writes a second later. */
async function leave(task: Task, model: string): Promise<number> {
  const open = await Promise.all(
    Array.from(
      { length: STREAMS },
      () =>
        new Promise<Dispatcher.DispatchController>((resolve, reject) => {
          const asked = { content: 'Go on.', thread: `bench:${randomUUID()}`, model: ENDLESS }
          agent.dispatch(request({ ...task, isStream: true }, asked), {
            onRequestStart: () => {},
            onResponseStart: () => {},
            onResponseData: (controller) => resolve(controller),
            onResponseEnd: () => reject(new Error('An endless stream ended.')),
            onResponseError: (_, error) => reject(error),
          })
        }),
    ),
  )
  const before = Number(await (await fetch(model)).text())
  if (before !== STREAMS) throw new Error(`${before} of ${STREAMS} streams are open.`)
  for (const controller of open) controller.abort(new Error('gone'))
  await delay(1_000)
  return Number(await (await fetch(model)).text())
}
