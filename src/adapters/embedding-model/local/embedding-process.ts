import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ModelError } from '../../../ports/model-provider.ts'
import type { EmbeddingAnswer, EmbeddingJob } from './embedding-main.ts'
import { ModelFolderError } from './model-folder.ts'

const ENTRY = fileURLToPath(new URL('./embedding-main.ts', import.meta.url))
/** Weights of gigabytes come from the disk. */
const START_MS = 60_000

/** To a text, or that it is ready. Rejects if the process ends, or says nothing in time: it is killed then. */
function answerOf(child: ChildProcess, timeoutMs: number, text?: string): Promise<EmbeddingAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => settle(() => reject(new ModelError('unavailable', `The embedding model ${what}.`)))
    const onAnswer = (answer: unknown) => settle(() => resolve(answer as EmbeddingAnswer))
    const onEnd = () => fail('was not there, or ended')
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail(`did not answer within ${timeoutMs} ms`)
    }, timeoutMs)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      child.off('message', onAnswer).off('error', onEnd).off('exit', onEnd)
      child.channel?.unref()
      finish()
    }
    child.channel?.ref()
    child.on('message', onAnswer).on('error', onEnd).on('exit', onEnd)
    if (text !== undefined) child.send(text, (error) => error && onEnd())
  })
}

/**
 * The process that has the weights. Not a worker thread: the runtime computes on the thread that calls it, two threads of one process bring it down, and a
 * fault in it ends the process that it is in. It has no settings and no keys.
 */
export class EmbeddingProcess {
  readonly #job: EmbeddingJob
  readonly #timeoutMs: number
  #child: ChildProcess | undefined
  #isClosed = false

  /** `timeoutMs`: for one text. */
  constructor(job: EmbeddingJob, timeoutMs: number) {
    this.#job = job
    this.#timeoutMs = timeoutMs
  }

  /** The vector of one text, as the model gives it; called again only when it is there. Starts the process, unless it runs. */
  async embed(text: string): Promise<Float32Array> {
    return vectorOf(await answerOf(await this.#running(), this.#timeoutMs, text))
  }

  /** Rejects with `ModelFolderError` if the model cannot be used. */
  async start(): Promise<void> {
    try {
      await this.#running()
    } catch (error) {
      throw error instanceof ModelFolderError
        ? error
        : new ModelFolderError('it was not loaded in time, or ended its process')
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.ref()
    child.kill('SIGKILL')
    await ended
  }

  async #running(): Promise<ChildProcess> {
    if (this.#isClosed) throw new ModelError('unavailable', 'The embedding model was closed.')
    if (this.#child?.connected && !this.#child.killed) return this.#child
    const child = fork(ENTRY, [JSON.stringify(this.#job)], {
      env: {},
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    // Every failure is also seen as an exit or by `send`; unheard, the event would end the gateway.
    child.on('error', () => {})
    child.unref()
    this.#child = child
    try {
      const first = await answerOf(child, START_MS)
      if ('failed' in first) throw new ModelFolderError(first.failed)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
    return child
  }
}

function vectorOf(answer: EmbeddingAnswer): Float32Array {
  if ('vector' in answer) return answer.vector
  if ('refused' in answer) throw new ModelError('rejected', `The embedding model refused a text: ${answer.refused}.`)
  throw new ModelError('unavailable', 'The embedding model cannot be used.')
}
