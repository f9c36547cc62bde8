import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Tokenizer } from '@huggingface/tokenizers'
import { ModelFolderError, type ModelSettings, type Pooling } from './model-folder.ts'

/** What is used of onnxruntime, which is installed only where it is wanted. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(path: string, options: object): Promise<OnnxSession> }
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => object
}

interface OnnxSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(inputs: Readonly<Record<string, object>>, outputs: readonly string[]): Promise<Record<string, OnnxOutput>>
}

interface OnnxOutput {
  readonly data: unknown
  readonly dims: readonly number[]
}

/** One vector for a text, of any length. */
export type Encoder = (text: string) => Promise<Float32Array>

/** Names of an output that is pooled already, or else the vectors of tokens, by how much they say. */
const POOLED = ['sentence_embedding']
const TOKENS = ['last_hidden_state', 'token_embeddings']

const INPUTS: Readonly<Record<string, (ids: readonly number[]) => BigInt64Array>> = {
  input_ids: (ids) => BigInt64Array.from(ids, BigInt),
  attention_mask: ({ length }) => new BigInt64Array(length).fill(1n),
  token_type_ids: ({ length }) => new BigInt64Array(length),
  position_ids: ({ length }) => BigInt64Array.from({ length }, (_, index) => BigInt(index)),
}

/** Half of the processors: the gateway and its database want some, too. */
const threads = () => Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)))

/** Texts one at a time: without a graphics card batches are no quicker, and need padding. Throws `ModelFolderError`. */
export async function createEncoder(runtime: OnnxRuntime, settings: ModelSettings): Promise<Encoder> {
  const tokenise = createTokeniser(settings)
  const session = await runtime.InferenceSession.create(settings.weights, {
    intraOpNumThreads: threads(),
    interOpNumThreads: 1,
    // Threads that wait leave the processors to others.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 4,
  })
  const unknown = session.inputNames.filter((name) => !(name in INPUTS))
  if (unknown.length > 0) throw new ModelFolderError(`the model wants inputs that are not known: ${unknown.join(', ')}`)
  const output = [...POOLED, ...TOKENS].find((name) => session.outputNames.includes(name)) ?? session.outputNames[0]
  if (output === undefined) throw new ModelFolderError('the model has no output')
  if (!POOLED.includes(output) && settings.furtherSteps.length > 0) {
    const steps = settings.furtherSteps.join(', ')
    throw new ModelFolderError(`the model needs ${steps}: export it with an output named sentence_embedding`)
  }
  return async (text) => {
    const ids = tokenise(text)
    const inputs = session.inputNames.flatMap((name) => {
      const make = INPUTS[name]
      return make ? [[name, new runtime.Tensor('int64', make(ids), [1, ids.length])] as const] : []
    })
    const answer = (await session.run(Object.fromEntries(inputs), [output]))[output]
    if (!(answer?.data instanceof Float32Array)) throw new ModelFolderError('the model gives no 32-bit floats')
    return pool(answer.data, answer.dims, settings.pooling)
  }
}

/** What is too long loses the end of its text, and keeps the marks around it. */
function createTokeniser({ tokenizer, tokenizerConfig, mostTokens }: ModelSettings): (text: string) => number[] {
  const config: unknown = tokenizerConfig === undefined ? {} : JSON.parse(readFileSync(tokenizerConfig, 'utf8'))
  const tokeniser = new Tokenizer(JSON.parse(readFileSync(tokenizer, 'utf8')), Object(config))
  const after = marksAfter(tokeniser)
  return (text) => {
    const { ids } = tokeniser.encode(text)
    return ids.length <= mostTokens ? ids : [...ids.slice(0, mostTokens - after), ...ids.slice(ids.length - after)]
  }
}

/** How many marks the tokeniser sets behind a text. */
function marksAfter(tokeniser: Tokenizer): number {
  const [bare, marked] = [false, true].map((marks) => tokeniser.encode('a', { add_special_tokens: marks }).ids)
  if (!bare || !marked) return 0
  const last = bare.at(-1)
  return last === undefined ? 0 : marked.length - 1 - marked.lastIndexOf(last)
}

/** `dims`: texts, then tokens unless it is pooled already, then numbers. */
function pool(data: Float32Array, dims: readonly number[], pooling: Pooling): Float32Array {
  const size = dims.at(-1) ?? 0
  const tokens = dims.length === 3 ? (dims[1] ?? 0) : 1
  if (size === 0 || tokens === 0 || data.length !== size * tokens)
    throw new ModelFolderError(`the model gives numbers in a shape that is not known: ${dims.join(' × ')}`)
  const row = (index: number) => data.subarray(index * size, (index + 1) * size)
  if (tokens === 1 || pooling === 'cls') return row(0)
  if (pooling === 'last') return row(tokens - 1)
  const pooled = Float32Array.from(row(0))
  for (let token = 1; token < tokens; token++) {
    for (const [index, number] of row(token).entries())
      pooled[index] = pooling === 'max' ? Math.max(pooled[index] ?? 0, number) : (pooled[index] ?? 0) + number
  }
  // The length of the mean does not matter: all vectors are made to have length 1.
  return pooled
}
