import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher } from 'undici'

// A process of the benchmarks: sends the requests it is told to send, and tells how long they took. Each answer is checked before it counts; a wrong one
// ends the task.

export interface Task {
  /** A module of `requests/`, and what it is to make requests of. */
  readonly requests: string
  readonly options: object
  readonly atATime: number
  /** So many, or as many as there are in so many seconds. */
  readonly count?: number
  readonly seconds?: number
  /** Time between the first requests of those that call side by side. */
  readonly staggerMs?: number
  /** Each is given up so long after the first byte of its answer; the 50 ms that follow spread them. */
  readonly abandon?: boolean
}

export interface Times {
  /** Milliseconds until the first byte of each answer, and until its last. */
  readonly first: readonly number[]
  readonly last: readonly number[]
  /** Milliseconds of all. */
  readonly all: number
  /** How many answers had what a check looks for, but does not ask for. */
  readonly noted: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface Exchange {
  readonly origin: string
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly headers: Record<string, string>
  readonly body: string | (() => AsyncIterable<Buffer>)
  /** Throws if the answer is wrong; true notes it. */
  check(answer: Answer): boolean
}

/** What a module of `requests/` exports as `exchanges`: the request that follows, of one of those who call side by side. */
export type Exchanges = (options: never) => (worker: number, turn: number) => Exchange

const SPREAD_MS = 50
const agent = new Agent({ connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })

process.on('message', (task: Task) => {
  run(task).then(
    (times) => process.send?.(times),
    (error: unknown) => process.send?.({ fault: error instanceof Error ? error.message : String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function run(task: Task): Promise<Times> {
  const { exchanges } = (await import(`../requests/${task.requests}.ts`)) as { exchanges: Exchanges }
  const next = exchanges(task.options as never)
  const [first, last]: [number[], number[]] = [[], []]
  let [left, noted] = [task.count ?? Number.POSITIVE_INFINITY, 0]
  const began = performance.now()
  const isOver = () => task.seconds !== undefined && performance.now() - began > 1_000 * task.seconds
  const work = async (_: unknown, worker: number) => {
    if (task.staggerMs) await delay(worker * task.staggerMs)
    for (let turn = 0; !isOver() && left-- > 0; turn++) {
      const exchange = next(worker, turn)
      if (task.abandon) await abandon(exchange, (left * 7) % SPREAD_MS)
      else {
        const took = await send(exchange)
        first.push(took.first)
        last.push(took.last)
        if (took.isNoted) noted++
      }
    }
  }
  await Promise.all(Array.from({ length: task.atATime }, work))
  return { first, last, all: performance.now() - began, noted }
}

function send(exchange: Exchange): Promise<{ first: number; last: number; isNoted: boolean }> {
  const began = performance.now()
  let first = 0
  let head = { status: 0, headers: {} as Answer['headers'] }
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    agent.dispatch(requestOf(exchange), {
      onRequestStart: () => {},
      onResponseStart: (_, status, headers) => {
        head = { status, headers: headers as Answer['headers'] }
      },
      onResponseData: (_, chunk) => {
        first ||= performance.now() - began
        chunks.push(chunk)
      },
      onResponseEnd: () => {
        const last = performance.now() - began
        try {
          resolve({ first, last, isNoted: exchange.check({ ...head, body: Buffer.concat(chunks) }) })
        } catch (error) {
          reject(error)
        }
      },
      onResponseError: (_, error) => reject(new Error(`${exchange.origin}${exchange.path}: ${error.message}`)),
    })
  })
}

/** Begins a request, and drops it some time after the first byte of its answer. */
function abandon(exchange: Exchange, afterMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let isLeft = false
    const leave = async (controller: Dispatcher.DispatchController) => {
      await delay(afterMs)
      controller.abort(new Error('left'))
      resolve()
    }
    agent.dispatch(requestOf(exchange), {
      onRequestStart: () => {},
      onResponseStart: (_, status) => {
        if (status !== 200) reject(new Error(`${exchange.origin}${exchange.path}: ${status}`))
      },
      onResponseData: (controller) => {
        if (!isLeft) void leave(controller)
        isLeft = true
      },
      onResponseEnd: () => reject(new Error('An endless answer ended.')),
      onResponseError: (_, error) => (isLeft ? resolve() : reject(error)),
    })
  })
}

function requestOf({ origin, path, method, headers, body }: Exchange): Dispatcher.DispatchOptions {
  return { origin, path, method, headers, body: typeof body === 'string' ? body : (body() as never) }
}
