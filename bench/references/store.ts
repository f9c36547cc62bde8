import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { listen } from './listen.ts'

// The least that taking in a file can cost: the bytes of the request go to disk, and through SHA-256 on their way. `relay`: then the raw file is sent on to the
// address that follows, before the answer. `sync`: the file is forced to the disk, as the gateway's are.

const [kind, target] = process.argv.slice(2)
const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
process.on('SIGTERM', () => process.exit())
const agent = new Agent({ keepAlive: true })

listen((incoming, outgoing) => void take(incoming, outgoing))

async function take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const file = join(dir, randomUUID())
  const hash = createHash('sha256')
  incoming.on('data', (chunk: Buffer) => hash.update(chunk))
  await pipeline(incoming, createWriteStream(file, { highWaterMark: 1 << 20 }))
  if (kind === 'sync') await sync(file)
  if (kind === 'relay') await relay(file, Number(incoming.headers['content-length']))
  outgoing.writeHead(200, { 'content-type': 'application/json' })
  outgoing.end(JSON.stringify({ sha256: hash.digest('hex') }))
  await unlink(file)
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.sync()
  await handle.close()
}

async function relay(file: string, length: number): Promise<void> {
  const sent = request(`${target}/raw`, { agent, method: 'POST', headers: { 'content-length': length } })
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), sent)
  const [response] = await answered
  response.resume()
  await once(response, 'end')
  if (response.statusCode !== 200) throw new Error(`The backend answered ${response.statusCode}.`)
}
