import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Task, Times } from './caller-process.ts'

/** A process that calls servers, and says how long that took. */
export interface Caller {
  run(task: Task): Promise<Times>
  end(): void
}

export function startCaller(): Caller {
  const child = fork(`${import.meta.dirname}/caller-process.ts`)
  return { run: (task) => tell(child, task), end: () => child.disconnect() }
}

async function tell(child: ChildProcess, task: Task): Promise<Times> {
  const over = new AbortController()
  const { signal } = over
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('The caller ended.')
  })
  const late = delay(LONGEST_MS, undefined, { signal, ref: false }).then(() => {
    throw new Error(`Not done after ${LONGEST_MS} ms: ${JSON.stringify(task).slice(0, 200)}`)
  })
  gone.catch(() => {})
  late.catch(() => {})
  child.send(task)
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), gone, late])) as [
      Times | { readonly fault: string },
    ]
    if ('fault' in answer) throw new Error(answer.fault)
    return answer
  } finally {
    over.abort()
  }
}

const LONGEST_MS = 300_000
