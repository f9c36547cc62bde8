import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'

/** What a provider was asked. */
export interface ProviderCall {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The caller left before the answer ended. */
  isAbandoned: boolean
}

export type ProviderScript = (response: ServerResponse, call: ProviderCall) => void | Promise<void>

export interface StubProvider {
  readonly url: string
  readonly calls: ProviderCall[]
  /** How calls with the header `x-script: {name}`, or to that path, are answered; others get an empty object. */
  script(name: string, answer: ProviderScript): void
  close(): Promise<void>
}

/** A provider on loopback that answers what it is told to, byte for byte. */
export async function startStubProvider(): Promise<StubProvider> {
  const calls: ProviderCall[] = []
  const scripts = new Map<string, ProviderScript>()
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { url: path = '', headers } = incoming
    const call: ProviderCall = { path, headers, body: Buffer.concat(chunks), isAbandoned: false }
    calls.push(call)
    response.on('close', () => void (call.isAbandoned = !response.writableFinished))
    const answer = scripts.get(String(headers['x-script'] ?? path))
    if (answer) await answer(response, call)
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }
  // A request that breaks off was sent by a caller who left.
  const server = createServer((incoming, response) => void serve(incoming, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    script: (name, answer) => void scripts.set(name, answer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Writes the parts one after the other, each in a packet of its own as far as that can be had. */
export async function writeParts(response: ServerResponse, parts: readonly (string | Buffer)[]): Promise<void> {
  for (const part of parts) {
    await new Promise((resolve) => response.write(part, resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
}

/** Posts exactly these bytes, and gives back exactly those of the answer: nothing is decompressed. */
export async function postBytes(
  url: string,
  body: Buffer | string,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  return {
    status: answer.statusCode,
    headers: answer.headers,
    bytes: Buffer.from(await answer.body.arrayBuffer()),
  }
}
