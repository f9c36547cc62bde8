import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { bytesOf, listen } from './listen.ts'

// The least that a proxy of node:http can do, in front of the address that follows: `pipe` passes on what comes as it comes, `buffer` collects request and
// answer first. No key, no log, nothing is read.

const [kind, target] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })

listen((incoming, outgoing) => {
  if (kind === 'pipe') pipe(incoming, outgoing)
  else void buffer(incoming, outgoing)
})

function pipe(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, headers, url } = incoming
  const sent = request(`${target}${url}`, { agent, method, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers)
    response.pipe(outgoing)
  })
  sent.once('error', () => outgoing.destroy())
  incoming.pipe(sent)
}

async function buffer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method, headers, url } = incoming
  const body = await bytesOf(incoming)
  const sent = request(`${target}${url}`, { agent, method, headers }, (response) => void giveBack(response, outgoing))
  sent.once('error', () => outgoing.destroy())
  sent.end(body)
}

async function giveBack(response: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const answer = await bytesOf(response)
  outgoing.writeHead(response.statusCode ?? 502, {
    'content-type': response.headers['content-type'],
    'content-length': answer.length,
  })
  outgoing.end(answer)
}
