import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RawServer {
  readonly url: string
  /** Requests whose head arrived. */
  readonly started: readonly IncomingMessage[]
  /** Bodies that arrived whole. */
  readonly bodies: readonly Buffer[]
  close(): Promise<void>
}

/** An HTTP server on loopback that reads each request whole, then does as it is told. */
export async function startRawServer(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<RawServer> {
  const started: IncomingMessage[] = []
  const bodies: Buffer[] = []
  const server = createServer((request, response) => {
    started.push(request)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks))
      respond(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    started,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
