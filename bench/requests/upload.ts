import { createHash, randomUUID } from 'node:crypto'
import type { Exchange } from '../harness/caller-process.ts'
import type { Caller } from '../harness/site.ts'

export interface UploadOptions {
  readonly base: string
  readonly size: number
  /** A sound, whose bytes look like any others; or a text, which the embedded backend reads. */
  readonly kind?: 'wav' | 'txt'
  /** The file alone, or a form with it; the gateway's form has a key. */
  readonly form: 'raw' | 'naive' | 'gateway'
  readonly users: readonly Caller[]
  /** A 202 will do: durable, but the backend has it later. */
  readonly mayQueue?: boolean
}

const BOUNDARY = 'bench-boundary'
const PIECE = 256 * 1_024
/** Of random bytes, the same in each run. */
const NOISE = createHash('shake256', { outputLength: PIECE }).update('bench').digest()
const WORDS = Buffer.from('The quick brown fox jumps over the lazy dog near the river. '.repeat(4_400)).subarray(
  0,
  PIECE,
)

/** Uploads of one file. */
export function exchanges(options: UploadOptions): (worker: number, turn: number) => Exchange {
  const { size, kind = 'wav', form, users, base } = options
  const sha256 = form === 'gateway' ? '' : hashOf(size, kind)
  return (worker) => {
    const user = users[worker % users.length] ?? { id: 'bench', key: '' }
    const [head, tail] =
      form === 'raw' ? [NOTHING, NOTHING] : [headOf(user, kind), Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]
    return {
      origin: base,
      path: '/memories/add/multipart',
      method: 'POST',
      headers: {
        'content-type': form === 'raw' ? 'application/octet-stream' : `multipart/form-data; boundary=${BOUNDARY}`,
        'content-length': String(head.length + size + tail.length),
        ...(form === 'gateway' && { authorization: `Bearer ${user.key}` }),
      },
      body: () => bodyOf(head, piecesOf(size, kind), tail),
      check: ({ status, body }) => {
        const text = body.toString()
        const isRight = form === 'gateway' ? text.includes(`"size":${size}`) : text.includes(`"sha256":"${sha256}"`)
        if (!isRight || (status !== 200 && !(options.mayQueue && status === 202))) {
          throw new Error(`${base}: ${status} ${text.slice(0, 300)}`)
        }
        return status === 202
      },
    }
  }
}

const NOTHING = Buffer.alloc(0)

function headOf(user: Caller, kind: string): Buffer {
  const item = { type: kind === 'wav' ? 'audio' : 'doc', upload_id: 'file', name: `bench.${kind}` }
  const messages = JSON.stringify([{ role: 'user', sender_id: user.id, content: [item] }])
  const field = (name: string, value: string) =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  return Buffer.from(
    `${field('session_id', `chat:${randomUUID()}`)}${field('messages', messages)}--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.${kind}"\r\n\r\n`,
  )
}

async function* bodyOf(head: Buffer, pieces: Iterable<Buffer>, tail: Buffer): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  yield* pieces
  if (tail.length > 0) yield tail
}

function* piecesOf(size: number, kind: 'wav' | 'txt'): Generator<Buffer> {
  let left = size
  if (kind === 'wav') {
    const header = wavHeader(size)
    yield header
    left -= header.length
  }
  const piece = kind === 'wav' ? NOISE : WORDS
  for (; left > 0; left -= piece.length) yield left >= piece.length ? piece : piece.subarray(0, left)
}

/** Of the file that `size` and `kind` name. */
export function hashOf(size: number, kind: 'wav' | 'txt' = 'wav'): string {
  const hash = createHash('sha256')
  for (const piece of piecesOf(size, kind)) hash.update(piece)
  return hash.digest('hex')
}

function wavHeader(size: number): Buffer {
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(size - 8, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(1, 22)
  header.writeUInt32LE(16_000, 24)
  header.writeUInt32LE(32_000, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36)
  header.writeUInt32LE(size - 44, 40)
  return header
}
