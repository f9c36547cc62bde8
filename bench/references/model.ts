import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { bytesOf, listen } from './listen.ts'
import { END, ENDLESS, EVENTS, EXTRACTS, PACED, WHOLE } from './model-answers.ts'

// Stands in for a provider of models, with OpenAI's API; answers at once, but for the models that `model-answers.ts` names. A GET tells how many endless
// streams it still writes, a DELETE ends them.

const DIMENSIONS = 256
const PACE_MS = 10
/** Streams that nobody has ended yet. */
const open = new Set<ServerResponse>()
let extracted = 0

listen((incoming, outgoing) => void answer(incoming, outgoing))

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (incoming.method === 'GET') return void outgoing.end(String(open.size))
  if (incoming.method === 'DELETE') {
    for (const stream of open) stream.destroy()
    return void outgoing.end()
  }
  const body = JSON.parse((await bytesOf(incoming)).toString()) as Asked
  if (incoming.url?.endsWith('/embeddings')) return sendJson(outgoing, JSON.stringify(embeddings(body)))
  if (!body.stream) return sendJson(outgoing, body.model === EXTRACTS ? extraction() : WHOLE)
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
  if (body.model === ENDLESS) return goOn(outgoing)
  for (const event of EVENTS) {
    outgoing.write(event)
    await (body.model === PACED ? delay(PACE_MS) : nextTurn())
  }
  outgoing.end(END)
}

interface Asked {
  readonly model: string
  readonly stream?: boolean
  readonly input?: string | readonly string[]
}

function sendJson(outgoing: ServerResponse, text: string): void {
  outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  outgoing.end(text)
}

function goOn(outgoing: ServerResponse): void {
  open.add(outgoing)
  const timer = setInterval(() => outgoing.write(EVENTS[1] ?? ''), 20)
  outgoing.once('close', () => {
    clearInterval(timer)
    open.delete(outgoing)
  })
}

/** What mem0 asks a model for: one memory, another each time. */
function extraction(): string {
  const memory = [{ id: '0', text: `User asked about the harbour of Bergen on day ${extracted++}`, event: 'ADD' }]
  const message = { role: 'assistant', content: JSON.stringify({ memory }) }
  return JSON.stringify({ ...JSON.parse(WHOLE), choices: [{ index: 0, message, finish_reason: 'stop' }] })
}

/** Unit vectors that follow from the text: each word adds to one direction. */
function embeddings({ input = '' }: Asked): object {
  const data = [input].flat().map((text, index) => ({ object: 'embedding', index, embedding: embed(text) }))
  return { object: 'list', data, model: 'bench', usage: { prompt_tokens: 1, total_tokens: 1 } }
}

function embed(text: string): number[] {
  const vector = Array.from({ length: DIMENSIONS }, () => 0)
  for (const word of text.toLowerCase().split(/\W+/)) {
    let hash = 0
    for (let at = 0; at < word.length; at++) hash = (hash * 31 + word.charCodeAt(at)) % DIMENSIONS
    vector[hash] = (vector[hash] ?? 0) + 1
  }
  const norm = Math.hypot(...vector) || 1
  return vector.map((value) => value / norm)
}
