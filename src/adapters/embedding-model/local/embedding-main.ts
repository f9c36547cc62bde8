import { createEncoder, type Encoder, type OnnxRuntime } from './encoder.ts'
import { ModelFolderError, type ModelSettings } from './model-folder.ts'

export interface EmbeddingJob {
  readonly runtime: string
  readonly settings: ModelSettings
}

/** `refused` speaks of the text, `failed` of the model; both are clauses. The first answer tells that the model is there. */
export type EmbeddingAnswer =
  | { readonly vector: Float32Array }
  | { readonly refused: string }
  | { readonly failed: string }

// The process that embeds: answers each text it is sent, one at a time, and ends with its parent.
process.on('disconnect', () => process.exit())

const { runtime: name, settings } = JSON.parse(process.argv[2] ?? '') as EmbeddingJob

async function open(): Promise<Encoder> {
  const loaded = (await import(name)) as OnnxRuntime & { readonly default?: OnnxRuntime }
  return createEncoder(loaded.default ?? loaded, settings)
}

async function embed(encode: Encoder, text: string): Promise<EmbeddingAnswer> {
  try {
    return { vector: await encode(text) }
  } catch (error) {
    // What a runtime says may quote the text.
    return { refused: error instanceof ModelFolderError ? error.message : 'it cannot be embedded' }
  }
}

async function begin(): Promise<EmbeddingAnswer> {
  try {
    const encode = await open()
    const first = await embed(encode, 'Hello.')
    process.on('message', (text: string) => {
      void embed(encode, text).then((answer) => process.send?.(answer))
    })
    return 'refused' in first ? { failed: first.refused } : first
  } catch (error) {
    return { failed: error instanceof ModelFolderError ? error.message : `it cannot be loaded: ${String(error)}` }
  }
}

process.send?.(await begin())
