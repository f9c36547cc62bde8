import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentDisposition, pipeToReader, resolveRange } from './downloads.ts'

const ETAG = '"abc"'

describe('a range of a file of 10 bytes', () => {
  it.each([
    [undefined, { status: 200 }],
    ['bytes=0-3', { status: 206, range: { start: 0, end: 3 } }],
    ['bytes=4-', { status: 206, range: { start: 4, end: 9 } }],
    ['bytes=-3', { status: 206, range: { start: 7, end: 9 } }],
    ['bytes=-99', { status: 206, range: { start: 0, end: 9 } }],
    ['bytes=8-99', { status: 206, range: { start: 8, end: 9 } }],
    ['bytes=10-', { status: 416 }],
    ['bytes=-0', { status: 416 }],
    ['bytes=5-2', { status: 200 }],
    ['bytes=0-1,4-5', { status: 200 }],
    ['items=0-1', { status: 200 }],
    ['bytes=-', { status: 200 }],
  ])('%s', (header, answer) => {
    expect(resolveRange(header, undefined, 10, ETAG)).toEqual(answer)
  })

  it('is the whole if the caller has another version', () => {
    expect(resolveRange('bytes=0-3', '"old"', 10, ETAG)).toEqual({ status: 200 })
    expect(resolveRange('bytes=0-3', ETAG, 10, ETAG)).toMatchObject({ status: 206 })
  })

  it('of an empty file is none', () => {
    expect(resolveRange('bytes=0-', undefined, 0, ETAG)).toEqual({ status: 416 })
  })
})

describe('Content-Disposition', () => {
  it('carries any name in plain ASCII, and gives it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const header = contentDisposition(name)
        expect(header).toMatch(/^attachment; filename="[^"\\\r\n]*"; filename\*=UTF-8''[!#$&+\-.^_`|~A-Za-z0-9%]*$/)
        expect(decodeURIComponent(header.split("UTF-8''")[1] ?? '')).toBe(name)
      }),
    )
  })
})

describe('a reader', () => {
  const WINDOW_MS = 500

  /** Sends without end to a client that `read` makes of a paused socket, until the source is let go. */
  async function serve(
    read: (socket: Socket) => void,
    bytes = 1,
  ): Promise<{ ended: Promise<string>; source: Readable; stop(): void }> {
    const source = new Readable({
      read() {
        this.push(Buffer.alloc(65_536))
      },
    })
    const sent = Promise.withResolvers<string>()
    const server = createServer((_, outgoing: ServerResponse) => {
      pipeToReader(source, outgoing, { ms: WINDOW_MS, bytes }).then(
        () => sent.resolve('sent'),
        () => sent.resolve('broken off'),
      )
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    read(socket)
    return {
      ended: sent.promise,
      source,
      stop() {
        socket.destroy()
        server.close()
      },
    }
  }

  const later = (ms: number) => new Promise<string>((resolve) => setTimeout(resolve, ms, 'still open'))

  it('that takes nothing is cut off, and the file is closed', async () => {
    const download = await serve((socket) => socket.pause())
    expect(await Promise.race([download.ended, later(5_000)])).toBe('broken off')
    expect(download.source.destroyed).toBe(true)
    download.stop()
  })

  it('that takes less than it must is cut off, though it never stops', async () => {
    const trickle = (socket: Socket) => {
      socket.pause()
      const timer = setInterval(() => socket.read(4096), 5)
      socket.once('close', () => clearInterval(timer))
    }
    const slow = await serve(trickle, 64 * 1024 * 1024)
    expect(await Promise.race([slow.ended, later(5_000)])).toBe('broken off')
    slow.stop()
  })

  it('that pauses and goes on is served', async () => {
    const download = await serve((socket) => {
      socket.on('data', () => {
        socket.pause()
        setTimeout(() => socket.resume(), 1)
      })
    })
    expect(await Promise.race([download.ended, later(WINDOW_MS * 3)])).toBe('still open')
    download.stop()
  })
})
