import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { END, ENDLESS, EVENTS, WHOLE } from './answers.ts'

// A process of the benchmark: `model`, which answers at once, or `pipe`, a bare proxy in front of the base URL that follows. Tells where it listens.

const [role, target] = process.argv.slice(2)
/** Streams that nobody has ended yet. */
let open = 0

const server = createServer((incoming, outgoing) => {
  if (role === 'pipe') pipe(incoming, outgoing)
  else void answer(incoming, outgoing)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  process.send?.({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (incoming.method === 'GET') return void outgoing.end(String(open))
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const { model, stream } = JSON.parse(Buffer.concat(chunks).toString()) as { model: string; stream?: boolean }
  if (!stream) {
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(WHOLE) })
    outgoing.end(WHOLE)
    return
  }
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
  if (model === ENDLESS) return goOn(outgoing)
  for (const event of EVENTS) {
    outgoing.write(event)
    await nextTurn()
  }
  outgoing.end(END)
}

function goOn(outgoing: ServerResponse): void {
  open++
  const timer = setInterval(() => outgoing.write(EVENTS[1] ?? ''), 20)
  outgoing.once('close', () => {
    clearInterval(timer)
    open--
  })
}

const agent = new Agent({ keepAlive: true })
function pipe(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, headers, url } = incoming
  const sent = request(`${target}${url}`, { agent, method, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers)
    response.pipe(outgoing)
  })
  sent.once('error', () => outgoing.destroy())
  incoming.pipe(sent)
}
