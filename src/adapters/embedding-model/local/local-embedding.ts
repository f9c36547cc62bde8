import type { EmbeddingModel } from '../../../ports/embedding-model.ts'
import { ModelError } from '../../../ports/model-provider.ts'
import { toUnitVectors } from '../unit-vectors.ts'
import { EmbeddingProcess } from './embedding-process.ts'
import { ModelFolderError, nameModel, readModelFolder } from './model-folder.ts'

/** Few: calls take turns text by text, and none should have to wait for many. */
const BATCH_SIZE = 8
/** Beyond what models read of a text. */
const LONGEST_TEXT = 8_000
const RUNTIME = 'onnxruntime-node'
/** Its install script fetches drivers of graphics cards, which are not used. */
const INSTALL = `npm install --no-save --ignore-scripts ${RUNTIME}@1`

export interface LocalEmbeddingOptions {
  /** Has `model.onnx` and `tokenizer.json`. */
  readonly folder: string
  /** For one text. */
  readonly timeoutMs: number
  /** What runs the weights: a package or the URL of a module, with the API of `onnxruntime-node`. */
  readonly runtime?: string
}

function resolved(runtime: string): string | undefined {
  try {
    return import.meta.resolve(runtime)
  } catch {
    return undefined
  }
}

/** A model whose weights lie in a folder; it runs in a process of its own. Rejects with `ModelFolderError` if it cannot. */
export async function openLocalEmbedding(options: LocalEmbeddingOptions): Promise<EmbeddingModel> {
  const { folder, timeoutMs, runtime = RUNTIME } = options
  const settings = readModelFolder(folder)
  if (resolved(runtime) === undefined) throw new ModelFolderError(`what runs it is not installed: ${INSTALL}`)
  const process = new EmbeddingProcess({ runtime, settings }, timeoutMs)
  try {
    const [model] = await Promise.all([nameModel(settings), process.start()])
    return new LocalEmbedding(model, process)
  } catch (error) {
    await process.close()
    throw error
  }
}

interface Call {
  readonly texts: readonly string[]
  readonly vectors: Float32Array[]
  readonly signal: AbortSignal | undefined
  resolve(vectors: Float32Array[]): void
  reject(error: unknown): void
}

/** Calls take turns, text by text: a question does not wait for all that is being made known to the model. */
class LocalEmbedding implements EmbeddingModel {
  readonly model: string
  readonly batchSize = BATCH_SIZE
  readonly #process: EmbeddingProcess
  readonly #calls: Call[] = []
  #isWorking = false

  constructor(model: string, process: EmbeddingProcess) {
    this.model = model
    this.#process = process
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted()
    if (texts.length === 0) return []
    if (texts.length > BATCH_SIZE) throw new RangeError(`At most ${BATCH_SIZE} texts in one call.`)
    let giveUp = () => {}
    const vectors = new Promise<Float32Array[]>((resolve, reject) => {
      giveUp = () => reject(signal?.reason)
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#calls.push({ texts, vectors: [], signal, resolve, reject })
      void this.#work()
    })
    return vectors.finally(() => signal?.removeEventListener('abort', giveUp))
  }

  close(): Promise<void> {
    return this.#process.close()
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return
    this.#isWorking = true
    for (let call = this.#calls.shift(); call; call = this.#calls.shift()) {
      const text = call.texts[call.vectors.length]
      const wentWell = text !== undefined && !call.signal?.aborted && (await this.#embedNext(call, text))
      if (call.vectors.length === call.texts.length) call.resolve(call.vectors)
      else if (wentWell) this.#calls.push(call)
    }
    this.#isWorking = false
  }

  /** Whether it went well. */
  async #embedNext(call: Call, text: string): Promise<boolean> {
    try {
      const given = await this.#process.embed(text.slice(0, LONGEST_TEXT).toWellFormed())
      const made = toUnitVectors([Array.from(given)])
      if (typeof made === 'string') throw new ModelError('unavailable', `The embedding model gave ${made}.`)
      call.vectors.push(...made)
      return true
    } catch (error) {
      call.reject(
        error instanceof ModelError
          ? error
          : new ModelError('unavailable', 'The embedding model cannot be used.', { cause: error }),
      )
      return false
    }
  }
}
