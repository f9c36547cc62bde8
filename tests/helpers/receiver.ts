import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Exactly what came. */
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- payloads are looked at freely in tests
  readonly event: any
  readonly at: number
}

/** What a receiver does with a request; `hang`: nothing, ever. */
export type Reaction = { status: number; headers?: Record<string, string>; body?: string } | 'hang'

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** Resolves with the requests to a path, once there are so many. */
  until(count: number, path?: string): Promise<Received[]>
  close(): Promise<void>
}

/** Somebody who is called by webhooks. */
export async function startReceiver(react: (request: Received, count: number) => Reaction = () => ({ status: 200 })) {
  const received: Received[] = []
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const one = { path: request.url ?? '', headers: request.headers, text, event: JSON.parse(text), at: Date.now() }
      received.push(one)
      const reaction = react(one, received.filter(({ path }) => path === one.path).length)
      if (reaction !== 'hang') response.writeHead(reaction.status, reaction.headers).end(reaction.body ?? '')
      for (const look of waiting) look()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    until(count, path) {
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`${received.length} requests: ${received.map((one) => one.event.type).join(', ')}`))
        }, 40_000)
        const look = () => {
          const found = received.filter((one) => path === undefined || one.path === path)
          if (found.length < count) return
          waiting.delete(look)
          clearTimeout(late)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return receiver
}

/** As a receiver does it, who has the secret and knows the names of the headers. */
export function verify(
  { headers, text }: Received,
  secret: string,
  names = { signature: 'x-webhook-signature', timestamp: 'x-webhook-timestamp' },
  hash = 'sha256',
): boolean {
  const timestamp = String(headers[names.timestamp])
  const expected = createHmac(hash, secret).update(`${timestamp}.${text}`).digest('hex')
  return expected === headers[names.signature] && Math.abs(Date.now() / 1_000 - Number(timestamp)) < 60
}

/** Until the condition holds, or a deadline. */
export async function eventually<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`It did not come to this: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
