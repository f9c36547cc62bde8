import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { base64Length, encodeBase64 } from './base64.ts'
import { EverosClient } from './client.ts'

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('base64 of a stream', () => {
  it.each([
    [0, 1_000],
    [1, 1_000],
    [92_160, 92_160],
    [92_161, 131_072],
    [500_000, 65_536],
    [500_000, 7],
  ])('of %i bytes in chunks of %i is that of the whole', async (size, chunkSize) => {
    const bytes = randomBytes(size)
    let text = ''
    for await (const piece of encodeBase64(inPieces(bytes, chunkSize))) text += piece.toString('latin1')
    expect(text === bytes.toString('base64')).toBe(true)
    expect(text).toHaveLength(base64Length(size))
  })

  it('arrives whole at a server that reads slowly, though its pieces share a buffer', async () => {
    const bytes = randomBytes(8_000_000)
    const hash = createHash('sha256')
    const takeSlowly = async (request: IncomingMessage, response: ServerResponse) => {
      for await (const chunk of request) {
        hash.update(chunk as Buffer)
        for (let turns = 0; turns < 5; turns++) await turn()
      }
      response.end('{}')
    }
    const server = createServer((request, response) => void takeSlowly(request, response)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = new EverosClient(`http://127.0.0.1:${port}`, { connectMs: 5_000, maxAnswerBytes: 1_000 })
    const length = base64Length(bytes.length)
    const body = { length, base64Bytes: length, chunks: () => encodeBase64(inPieces(bytes, 131_072)) }
    try {
      await client.post(z.object({}), { path: '/add', body, timeoutMs: 30_000 })
    } finally {
      await client.close()
      server.close()
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes.toString('base64')).digest('hex'))
  })
})
