import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { unlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

// An upload as it is written first: the form is parsed by the framework, the file held whole, made base64, put into JSON, and sent on with fetch to the address
// that follows.

const target = process.argv[2] ?? ''
const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
process.on('SIGTERM', () => process.exit())
process.on('disconnect', () => process.exit())

const app = new Hono()
app.post('*', async (c) => {
  const form = await c.req.parseBody()
  const { file } = form
  if (!(file instanceof File)) return c.json({ error: 'no file' }, 422)
  const bytes = Buffer.from(await file.arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const path = join(dir, randomUUID())
  await writeFile(path, bytes)
  const content = [{ type: 'audio', name: file.name, ext: 'wav', base64: bytes.toString('base64') }]
  const body = JSON.stringify({
    session_id: form.session_id,
    messages: [{ sender_id: 'bench', role: 'user', content }],
  })
  const response = await fetch(`${target}/api/v2/memory/add`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  await unlink(path)
  return c.json({ sha256, ...((await response.json()) as object) }, response.ok ? 200 : 502)
})

const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', serverOptions: { requestTimeout: 0 } }, () => {
  process.send?.({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
