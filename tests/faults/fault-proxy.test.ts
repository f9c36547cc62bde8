import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../helpers/client.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

let echo: Server
let proxy: FaultProxy
const held: Socket[] = []

beforeAll(async () => {
  echo = createServer((socket) => {
    held.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
})
beforeEach(async () => {
  proxy = await startFaultProxy(`tcp://user:secret@127.0.0.1:${(echo.address() as AddressInfo).port}/name`)
})
afterEach(() => proxy.close())
afterAll(() => {
  for (const socket of held) socket.destroy()
  echo.close()
})

/** A client, what it has got so far, and how its connection ended. */
async function dial(port = Number(new URL(proxy.url).port)) {
  const socket = connect(port, '127.0.0.1')
  const client = { socket, got: '', ended: undefined as string | undefined }
  socket.on('data', (chunk: Buffer) => (client.got += chunk.toString('latin1')))
  socket.on('error', (error: NodeJS.ErrnoException) => (client.ended = error.code ?? 'error'))
  socket.on('end', () => (client.ended ??= 'FIN'))
  await once(socket, 'connect')
  return client
}

const gets = (client: { got: string }, text: string) =>
  until(
    async () => client.got,
    (got) => got === text,
    2_000,
  )
const ends = (client: { ended: string | undefined }) =>
  until(
    async () => client.ended,
    (ended) => ended !== undefined,
    2_000,
  )

describe('the fault proxy', () => {
  it('keeps all of the URL but the address', () => {
    expect(proxy.url).toMatch(/^tcp:\/\/user:secret@127\.0\.0\.1:\d+\/name$/)
  })

  it('passes, and passes again after it refused', async () => {
    const client = await dial()
    client.socket.write('one')
    await gets(client, 'one')
    await proxy.set({ mode: 'refuse' })
    expect(await ends(client)).toBe('ECONNRESET')
    await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await proxy.set({ mode: 'pass' })
    const again = await dial()
    again.socket.write('two')
    await gets(again, 'two')
  })

  it('closes as it accepts', async () => {
    await proxy.set({ mode: 'close' })
    expect(await ends(await dial())).toBe('FIN')
  })

  it('moves no byte while it stalls, and all of them afterwards', async () => {
    const before = await dial()
    await proxy.set({ mode: 'stall' })
    const during = await dial()
    before.socket.write('a')
    during.socket.write('b')
    // A round trip past the proxy shows that there was time enough.
    const direct = await dial((echo.address() as AddressInfo).port)
    direct.socket.write('c')
    await gets(direct, 'c')
    expect([before.got, during.got]).toEqual(['', ''])
    await proxy.set({ mode: 'pass' })
    await gets(before, 'a')
    await gets(during, 'b')
  })

  it('leaves half-open connections dead for ever, and passes new ones', async () => {
    const before = await dial()
    await proxy.set({ mode: 'half-open' })
    await proxy.set({ mode: 'pass' })
    before.socket.write('a')
    const after = await dial()
    after.socket.write('b')
    await gets(after, 'b')
    expect(before).toMatchObject({ got: '', ended: undefined })
    before.socket.destroy()
  })

  it.each([
    ['reset', 'ECONNRESET'],
    ['cut', 'FIN'],
  ] as const)('%s: ends the connection after the bytes given', async (mode, ended) => {
    await proxy.set({ mode, afterBytes: 3 })
    const client = await dial()
    client.socket.write('ab')
    await gets(client, 'ab')
    client.socket.write('cdef')
    expect(await ends(client)).toBe(ended)
    // A reset may overtake what was sent before it.
    expect('abc').toContain(client.got)
  })

  it('breaks in place of a text', async () => {
    await proxy.set({ mode: 'reset', from: 'client', at: 'COMMIT' })
    const client = await dial()
    client.socket.write('INSERT')
    await gets(client, 'INSERT')
    client.socket.write('..COMMIT..')
    expect(await ends(client)).toBe('ECONNRESET')
    expect(client.got).toBe('INSERT')
  })

  it('delays, in order', async () => {
    await proxy.set({ mode: 'delay', ms: 50 })
    const client = await dial()
    const start = performance.now()
    for (const text of ['a', 'b', 'c']) client.socket.write(text)
    await gets(client, 'abc')
    expect(performance.now() - start).toBeGreaterThan(95)
  })

  it('flips a bit of each so manieth byte of the server', async () => {
    await proxy.set({ mode: 'corrupt', every: 3 })
    const client = await dial()
    client.socket.write('bbbbbbb')
    await gets(client, 'bbcbbcb')
  })

  it('answers in place of the server', async () => {
    await proxy.set({ mode: 'answer', bytes: 'HTTP/1.1 200 OK\r\n\r\n' })
    const client = await dial()
    client.socket.write('anything')
    await gets(client, 'HTTP/1.1 200 OK\r\n\r\n')
    expect(await ends(client)).toBe('FIN')
    expect(proxy.accepted).toBe(1)
  })
})
