import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLocalEmbedding } from '../../src/adapters/embedding-model/local/local-embedding.ts'
import type { EmbeddingModel } from '../../src/ports/embedding-model.ts'
import { TABLE, type TinyModel, VOCABULARY, writeTinyModel } from './tiny-onnx.ts'

const FAKE = new URL('./fake-onnx-runtime.ts', import.meta.url).href
const REAL = 'onnxruntime-node'

function isInstalled(runtime: string): boolean {
  try {
    return import.meta.resolve(runtime) !== ''
  } catch {
    return false
  }
}

let directory: string
let folders = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'local-embedding-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

const folderOf = (options?: TinyModel) => writeTinyModel(join(directory, String(folders++)), options)
const open = async (options?: TinyModel, runtime = FAKE, timeoutMs = 20_000) =>
  openLocalEmbedding({ folder: await folderOf(options), timeoutMs, runtime })

/** The vector that tokens have together. */
function vectorOf(words: readonly string[], combine = (numbers: readonly number[]) => mean(numbers)): number[] {
  const rows = words.map((word) => TABLE[VOCABULARY.indexOf(word)]!)
  const combined = TABLE[0]!.map((_, index) => combine(rows.map((row) => row[index]!)))
  const length = Math.hypot(...combined)
  return combined.map((number) => number / length)
}
const mean = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length

function expectVector(given: Float32Array | undefined, expected: readonly number[]): void {
  expect(given).toHaveLength(expected.length)
  for (const [index, number] of expected.entries()) expect(given?.[index]).toBeCloseTo(number, 5)
}

describe.each([FAKE, REAL])('weights in a folder, run by %s', (runtime) => {
  describe.skipIf(!isInstalled(runtime))('which is installed', () => {
    let model: EmbeddingModel
    beforeAll(async () => {
      model = await open({}, runtime)
    })
    afterAll(async () => {
      await model.close()
      await model.close()
    })

    it('makes a vector of length 1 of each text, in their order', async () => {
      const [cat, dog, again] = await model.embed(['a cat', 'A dog!', 'a cat'])
      expectVector(cat, vectorOf(['[CLS]', 'a', 'cat', '[SEP]']))
      expectVector(dog, vectorOf(['[CLS]', 'a', 'dog', '!', '[SEP]']))
      expect(again).toEqual(cat)
    })

    it.each<[string, string[]]>([
      ['cats playing', ['cat', '##s', 'play', '##ing']],
      ['我的猫', ['我', '的', '猫']],
      ['Café zebra', ['cafe', '[UNK]']],
      ['', []],
      ['half \ud83d', ['[UNK]']],
    ])('reads %j as its tokens', async (text, words) => {
      const [vector] = await model.embed([text])
      expectVector(vector, vectorOf(['[CLS]', ...words, '[SEP]']))
    })

    it('reads no more of a text than the model takes, and its marks', async () => {
      const [long, longer] = await model.embed(['a cat sat a cat sat', 'cat '.repeat(100_000)])
      expectVector(long, vectorOf(['[CLS]', 'a', 'cat', 'sat', 'a', '[SEP]']))
      expectVector(longer, vectorOf(['[CLS]', 'cat', 'cat', 'cat', 'cat', '[SEP]']))
    })

    it.each<[string, (numbers: readonly number[]) => number]>([
      ['pooling_mode_cls_token', (numbers) => numbers[0]!],
      ['pooling_mode_max_tokens', (numbers) => Math.max(...numbers)],
      ['pooling_mode_lasttoken', (numbers) => numbers.at(-1)!],
      ['pooling_mode_mean_tokens', mean],
    ])('pools as the folder says: %s', async (mode, combine) => {
      const pooling = { word_embedding_dimension: 3, pooling_mode_mean_tokens: false, [mode]: true }
      const files = { '1_Pooling/config.json': pooling }
      const other = await open({ weights: 'onnx/model.onnx', output: 'token_embeddings', files }, runtime)
      const [vector] = await other.embed(['a cat'])
      expectVector(vector, vectorOf(['[CLS]', 'a', 'cat', '[SEP]'], combine))
      await other.close()
    })
  })
})

describe('a model in a folder', () => {
  it('is not asked about nothing, nor about more than it takes', async () => {
    const model = await open()
    expect(await model.embed([])).toEqual([])
    await expect(model.embed(Array.from({ length: model.batchSize + 1 }, () => 'a cat'))).rejects.toThrow(RangeError)
    await model.close()
  })

  it('is named by what makes its vectors, not by its place', async () => {
    const [one, same, other] = await Promise.all([open(), open(), open({ output: 'token_embeddings' })])
    expect(one.model).toMatch(/^onnx:[0-9a-f]{16}$/)
    expect(same.model).toBe(one.model)
    expect(other.model).not.toBe(one.model)
    for (const each of [one, same, other]) await each.close()
  })

  it('answers a question before it is through with many texts', async () => {
    const model = await open()
    const answered: string[] = []
    const many = model.embed(Array.from({ length: 8 }, () => 'a cat')).then(() => answered.push('many'))
    await model.embed(['a dog']).then(() => answered.push('one'))
    await many
    expect(answered).toEqual(['one', 'many'])
    await model.close()
  })

  it('is given up when the caller says so, and goes on with others', async () => {
    const model = await open()
    const giveUp = new AbortController()
    const reason = new Error('the client is gone')
    const asked = model.embed(['a cat', 'a dog'], giveUp.signal)
    const other = model.embed(['a cat'])
    giveUp.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await expect(model.embed(['a cat'], giveUp.signal)).rejects.toBe(reason)
    expect(await other).toHaveLength(1)
    await model.close()
  })

  it('that hangs is killed after its time, and begun anew', async () => {
    const model = await open({}, FAKE, 300)
    const hung = model.embed(['hang'])
    const waiting = model.embed(['a cat'])
    await expect(hung).rejects.toMatchObject({ name: 'ModelError', failure: 'unavailable', message: /within 300 ms/ })
    expect(await waiting).toHaveLength(1)
    await model.close()
  })

  it('whose process ends is unavailable, and begun anew', async () => {
    const model = await open()
    await expect(model.embed(['die'])).rejects.toMatchObject({ name: 'ModelError', failure: 'unavailable' })
    expect(await model.embed(['a cat'])).toHaveLength(1)
    await model.close()
  })

  it('refuses a text that it cannot bear, without its words', async () => {
    const model = await open()
    const error = await model.embed(['fault']).catch((each: unknown) => each)
    expect(error).toMatchObject({ name: 'ModelError', failure: 'rejected', needsOperator: false })
    expect(String(error)).not.toContain('fault')
    await model.close()
  })

  it('that is closed answers nobody any more', async () => {
    const model = await open()
    const asked = model.embed(['hang'])
    await model.close()
    await expect(asked).rejects.toMatchObject({ failure: 'unavailable' })
    await expect(model.embed(['a cat'])).rejects.toMatchObject({ failure: 'unavailable' })
  })
})

describe('a folder that cannot be used', () => {
  it.each<[string, TinyModel, RegExp]>([
    ['no weights', { weights: 'weights.onnx' }, /no model\.onnx in .*, nor in .*\/onnx$/],
    ['broken settings', { files: { 'modules.json': { a: 1 } } }, /modules\.json cannot be understood/],
    [
      'another pooling',
      { files: { '1_Pooling/config.json': { pooling_mode_weightedmean_tokens: true } } },
      /a pooling other than/,
    ],
    ['another input', { input: 'pixels' }, /inputs that are not known: pixels/],
    [
      'a layer after pooling',
      { files: { 'modules.json': [{ type: 'sentence_transformers.models.Dense' }] } },
      /needs sentence_transformers\.models\.Dense/,
    ],
    ['a broken tokeniser', { files: { 'tokenizer.json': {} } }, /cannot be loaded/],
  ])('%s', async (_, options, message) => {
    await expect(open(options)).rejects.toMatchObject({
      name: 'ModelFolderError',
      message: expect.stringMatching(message),
    })
  })

  it('has no runtime', async () => {
    await expect(open({}, 'onnxruntime-that-nobody-has')).rejects.toMatchObject({
      name: 'ModelFolderError',
      message: 'what runs it is not installed: npm install --no-save --ignore-scripts onnxruntime-node@1',
    })
  })
})
