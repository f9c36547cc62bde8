import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

// How far a gateway's memory grows while it takes in 16 uploads of 12 MB at once and one of 100 MB.
//   node bench/upload-memory.ts [wav|txt]     further settings come from the environment, e.g. DATABASE_URL
// The gateway runs in a process of its own; its peak is read from /proc, reset after it has warmed up.

const MB = 1_000_000
const BOUNDARY = 'bench-boundary'
const kind = process.argv[2] === 'txt' ? 'txt' : 'wav'

const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
const child = spawn(process.execPath, ['src/main.ts'], {
  env: { ...process.env, PORT: '0', LOG_FORMAT: 'json', STORAGE_DIR: dir, MAX_UPLOADS_PER_USER: '32' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const base = await readiness()
  const user = await createUser(base)
  await upload(base, user, 1 * MB)
  await Promise.all(Array.from({ length: 4 }, () => upload(base, user, 1 * MB)))

  const before = resident()
  resetPeak()
  const start = performance.now()
  await Promise.all([...Array.from({ length: 16 }, () => upload(base, user, 12 * MB)), upload(base, user, 100 * MB)])
  const seconds = (performance.now() - start) / 1000
  const growth = peak() - before
  console.log(
    `${kind}: before ${Math.round(before)} MB, peak ${Math.round(peak())} MB, growth ${Math.round(growth)} MB, ${Math.round(292 / seconds)} MB/s`,
  )
  if (growth >= 150) process.exitCode = 1
} finally {
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
  rmSync(dir, { recursive: true, force: true })
}

function readiness(): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      const { msg, base } = JSON.parse(line) as { msg: string; base: string }
      if (msg === 'ready') resolve(base)
    })
    child.once('exit', () => reject(new Error('The gateway did not start.')))
  })
}

async function createUser(base: string): Promise<{ id: string; key: string }> {
  const response = await fetch(`${base}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: `bench_${process.pid}` }),
  })
  const body = (await response.json()) as { user_id: string; user_key: string }
  return { id: body.user_id, key: body.user_key }
}

/** Sends one message with one file of `size` bytes, in pieces of 64 KiB and no faster than they are taken. */
function upload(base: string, user: { id: string; key: string }, size: number): Promise<void> {
  const messages = JSON.stringify([
    {
      role: 'user',
      sender_id: user.id,
      content: [{ type: kind === 'wav' ? 'audio' : 'doc', upload_id: 'file', name: `bench.${kind}` }],
    },
  ])
  const field = (name: string, value: string) =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const head = Buffer.from(
    `${field('session_id', `chat:bench-${Math.random()}`)}${field('messages', messages)}--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.${kind}"\r\n\r\n`,
  )
  const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  return new Promise((resolve, reject) => {
    const sent = request(`${base}/memories/add/multipart`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${user.key}`,
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'content-length': head.length + size + tail.length,
      },
    })
    sent.once('response', (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.once('end', () =>
        response.statusCode === 200 || response.statusCode === 202 ? resolve() : reject(new Error(text)),
      )
    })
    sent.once('error', reject)
    sent.write(head)
    void writeFile(
      size,
      (chunk) => new Promise((next) => (sent.write(chunk) ? next() : sent.once('drain', () => next()))),
    ).then(() => sent.end(tail))
  })
}

async function writeFile(size: number, write: (chunk: Buffer) => Promise<void>): Promise<void> {
  const piece =
    kind === 'wav'
      ? Buffer.alloc(65_536, 0x55)
      : Buffer.from('The quick brown fox jumps over the lazy dog near river. '.repeat(1171)).subarray(0, 65_536)
  let left = size
  if (kind === 'wav') {
    const header = wavHeader(size)
    await write(header)
    left -= header.length
  }
  for (; left > 0; left -= piece.length) await write(left >= piece.length ? piece : piece.subarray(0, left))
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

function status(field: string): number {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) / 1000
}
function resident(): number {
  return status('VmRSS')
}
function peak(): number {
  return status('VmHWM')
}
function resetPeak(): void {
  writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
}
