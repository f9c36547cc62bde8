import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { throwIfGivenUp } from '../database-fault.ts'
import {
  type FileReading,
  type ReadAnswer,
  type ReadJob,
  type ReadSettings,
  UnreadableFileError,
} from './file-reading.ts'

export interface ReadingProcess {
  /** Rejects with `UnreadableFileError`, also if reading takes too long or kills the process; or because the caller gave up. */
  run(job: ReadJob, signal?: AbortSignal): Promise<FileReading>
  close(): Promise<void>
}

interface ReadingOptions {
  readonly timeoutMs: number
  readonly idleMs: number
  readonly settings: ReadSettings
}

const ENTRY = fileURLToPath(new URL('./reading-main.ts', import.meta.url))
const HEAP_MB = 512

/** It gets no environment: a file that takes it over finds no keys there. */
function start(settings: ReadSettings): ChildProcess {
  const child = fork(ENTRY, [JSON.stringify(settings)], {
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  // Every failure is also seen as an exit or by `send`; unheard, the event would end the gateway.
  child.on('error', () => {})
  child.unref()
  child.channel?.unref()
  return child
}

/** `result`, but without waiting for its turn once the caller has given up. */
function orGivenUp<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return result
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new UnreadableFileError('reading it was given up'))
    signal.addEventListener('abort', onAbort, { once: true })
    void result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function ask(
  child: ChildProcess,
  job: ReadJob,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<FileReading> {
  return new Promise((resolve, reject) => {
    const kill = (reason: Error) => {
      child.kill('SIGKILL')
      settle(() => reject(reason))
    }
    const onAnswer = (answer: unknown) => {
      const given = answer as ReadAnswer
      settle(() => ('reading' in given ? resolve(given.reading) : reject(new UnreadableFileError(given.unreadable))))
    }
    const onEnd = () => settle(() => reject(new UnreadableFileError('reading it failed')))
    const onAbort = () => kill(new UnreadableFileError('reading it was given up'))
    const timer = setTimeout(() => kill(new UnreadableFileError('reading it took too long')), timeoutMs)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      child.off('message', onAnswer).off('error', onEnd).off('exit', onEnd)
      signal?.removeEventListener('abort', onAbort)
      finish()
    }
    child.on('message', onAnswer).on('error', onEnd).on('exit', onEnd)
    signal?.addEventListener('abort', onAbort)
    child.send(job, (error) => {
      if (error) onEnd()
    })
  })
}

/**
 * One process that reads files, one at a time, and is killed with the file it cannot bear. Not a worker thread: native
 * decoders run on the process's own pool of I/O threads, where nothing can stop them. Four hostile SVGs in worker
 * threads held up every file access of the whole gateway, and `terminate()` never came back.
 */
export function createReadingProcess(options: ReadingOptions): ReadingProcess {
  let child: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  let last: Promise<unknown> = Promise.resolve()
  let closed = false

  function running(): ChildProcess {
    if (!child || !child.connected || child.killed) child = start(options.settings)
    return child
  }

  async function runNow(job: ReadJob, signal: AbortSignal | undefined): Promise<FileReading> {
    throwIfGivenUp(signal)
    if (closed) throw new UnreadableFileError('the backend was closed')
    clearTimeout(idle)
    const current = running()
    current.channel?.ref()
    try {
      return await ask(current, job, options.timeoutMs, signal)
    } finally {
      current.channel?.unref()
      idle = setTimeout(() => current.kill('SIGKILL'), options.idleMs).unref()
    }
  }

  return {
    run(job, signal) {
      const result = last.then(() => runNow(job, signal))
      last = result.catch(() => undefined)
      return orGivenUp(result, signal)
    },
    async close() {
      closed = true
      clearTimeout(idle)
      const current = child
      child = undefined
      if (!current || current.exitCode !== null || current.signalCode !== null) return
      const exited = once(current, 'exit')
      current.ref()
      current.kill('SIGKILL')
      await exited
    },
  }
}
