import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Words of the tiny model, in the order of their ids: first the marks, then what a test says. */
export const VOCABULARY = '[PAD] [UNK] [CLS] [SEP] a cat dog sat ##s play ##ing cafe ! 我 的 猫 hang die fault'.split(
  ' ',
)

/** The vector of a token: no two point in the same direction. */
export const TABLE = VOCABULARY.map((_, id) => [Math.cos(id), Math.sin(id), 1 + (id % 3)])

const TOKENIZER = {
  version: '1.0',
  truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0 },
  padding: null,
  added_tokens: VOCABULARY.slice(0, 4).map((content, id) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
  },
}

// As much of protobuf as a model needs.
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}
const number = (field: number, value: number) => Buffer.from([...varint(field * 8), ...varint(value)])
function bytes(field: number, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body])
}
const [FLOAT, INT64] = [1, 7]
function value(field: number, name: string, type: number, dims: readonly (number | string)[]): Buffer {
  const shape = dims.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim)))
  return bytes(field, bytes(1, name), bytes(2, bytes(1, number(1, type), bytes(2, ...shape))))
}

/** A model in ONNX that looks its tokens up in `TABLE`. */
function tinyModel(input: string, output: string): Buffer {
  const width = TABLE[0]?.length ?? 0
  const raw = Buffer.from(Float32Array.from(TABLE.flat()).buffer)
  const table = [number(1, TABLE.length), number(1, width), number(2, FLOAT), bytes(8, 'table'), bytes(9, raw)]
  const graph = [
    bytes(1, bytes(1, 'table'), bytes(1, input), bytes(2, output), bytes(4, 'Gather')),
    bytes(2, 'tiny'),
    bytes(5, ...table),
    value(11, input, INT64, ['texts', 'tokens']),
    value(11, 'attention_mask', INT64, ['texts', 'tokens']),
    value(12, output, FLOAT, ['texts', 'tokens', width]),
  ]
  return Buffer.concat([number(1, 8), bytes(7, ...graph), bytes(8, bytes(1, ''), number(2, 17))])
}

export interface TinyModel {
  readonly weights?: string
  readonly input?: string
  readonly output?: string
  /** Other files, by their path, with what JSON they hold. */
  readonly files?: Readonly<Record<string, unknown>>
}

/** A folder with a model of a few words, which is read by onnxruntime and by `fake-onnx-runtime.ts` alike. */
export async function writeTinyModel(folder: string, options: TinyModel = {}): Promise<string> {
  const { weights = 'model.onnx', input = 'input_ids', output = 'last_hidden_state', files = {} } = options
  const write = async (name: string, content: Buffer | string) => {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  await write(weights, tinyModel(input, output))
  await write(`${weights}.json`, JSON.stringify({ input, output, table: TABLE }))
  await write('tokenizer.json', JSON.stringify(TOKENIZER))
  await write('sentence_bert_config.json', JSON.stringify({ max_seq_length: 6 }))
  for (const [name, content] of Object.entries(files)) await write(name, JSON.stringify(content))
  return folder
}
