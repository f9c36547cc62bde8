import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Listens on a free port of loopback, and tells the process that started this one where. */
export function listen(answer: RequestListener): void {
  const server = createServer({ requestTimeout: 0 }, answer)
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  })
  process.on('disconnect', () => process.exit())
}

export async function bytesOf(incoming: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}
