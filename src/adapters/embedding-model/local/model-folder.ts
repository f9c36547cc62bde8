import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'

/** Beyond it the time and memory for one text grow with the square of its length, and no text that is embedded here is much longer. */
const MOST_TOKENS = 512

export type Pooling = 'mean' | 'cls' | 'max' | 'last'

/** What a process is told that embeds texts. */
export interface ModelSettings {
  readonly weights: string
  readonly tokenizer: string
  readonly tokenizerConfig: string | undefined
  /** Tokens that are read of a text. */
  readonly mostTokens: number
  readonly pooling: Pooling
  /** Steps after pooling that are not done here; weights that do them themselves are fine. */
  readonly furtherSteps: readonly string[]
}

/** The folder cannot be used; the message is a clause that says what an operator has to do. */
export class ModelFolderError extends Error {
  override name = 'ModelFolderError'
}

const maximum = z.number().positive().optional().catch(undefined)
const lengthSchema = z.object({
  max_seq_length: maximum,
  model_max_length: maximum,
  max_position_embeddings: maximum,
})
const poolingSchema = z.object({
  pooling_mode_mean_tokens: z.boolean().default(false),
  pooling_mode_cls_token: z.boolean().default(false),
  pooling_mode_max_tokens: z.boolean().default(false),
  pooling_mode_lasttoken: z.boolean().default(false),
})
const modulesSchema = z.array(z.object({ type: z.string() }))
const STEPS = /\.(?:Transformer|Pooling|Normalize)$/

function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(path)) return undefined
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    throw new ModelFolderError(`${path} cannot be understood`)
  }
}

function poolingOf(folder: string): Pooling {
  const given = readJson(join(folder, '1_Pooling/config.json'), poolingSchema)
  if (!given || given.pooling_mode_mean_tokens) return 'mean'
  if (given.pooling_mode_cls_token) return 'cls'
  if (given.pooling_mode_max_tokens) return 'max'
  if (given.pooling_mode_lasttoken) return 'last'
  throw new ModelFolderError(
    `${folder}/1_Pooling/config.json asks for a pooling other than mean, cls, max or last token`,
  )
}

function mostTokensOf(folder: string): number {
  const given = ['sentence_bert_config.json', 'tokenizer_config.json', 'config.json'].flatMap((name) =>
    Object.values(readJson(join(folder, name), lengthSchema) ?? {}).filter((length) => length !== undefined),
  )
  return Math.min(MOST_TOKENS, ...given)
}

/** Reads how a model in the layout of Hugging Face and sentence-transformers is to be used. Throws `ModelFolderError`. */
export function readModelFolder(folder: string): ModelSettings {
  const path = (...names: string[]) => names.map((name) => join(folder, name)).find((each) => existsSync(each))
  const weights = path('model.onnx', 'onnx/model.onnx')
  const tokenizer = path('tokenizer.json')
  if (weights === undefined) throw new ModelFolderError(`there is no model.onnx in ${folder}, nor in ${folder}/onnx`)
  if (tokenizer === undefined) throw new ModelFolderError(`there is no tokenizer.json in ${folder}`)
  const steps = readJson(join(folder, 'modules.json'), modulesSchema) ?? []
  return {
    weights,
    tokenizer,
    tokenizerConfig: path('tokenizer_config.json'),
    mostTokens: mostTokensOf(folder),
    pooling: poolingOf(folder),
    furtherSteps: steps.flatMap(({ type }) => (STEPS.test(type) ? [] : [type])),
  }
}

/** A name for the space of the vectors: by what makes them, wherever it lies. Other weights under the same path are another model. */
export async function nameModel({ weights, tokenizer, mostTokens, pooling }: ModelSettings): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify({ mostTokens, pooling }))
  for (const path of [tokenizer, weights, `${weights}_data`])
    if (existsSync(path)) await pipeline(createReadStream(path), hash, { end: false })
  return `onnx:${hash.digest('hex').slice(0, 16)}`
}
