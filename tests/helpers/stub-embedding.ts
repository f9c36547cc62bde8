import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { hashedVector } from './hashed-embedder.ts'
import { startRawServer } from './raw-server.ts'

export interface EmbeddingCall {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly model: string
  readonly input: readonly string[]
  readonly encodingFormat: string | undefined
}

/** How the next requests are to go wrong: as said, with no answer at all, or with one that breaks off. */
export type EmbeddingFault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'silence'
  | 'broken'
  | 'huge'

export interface StubEmbedding {
  readonly baseUrl: string
  readonly calls: EmbeddingCall[]
  /** Words that count as others in the vectors of every model. */
  synonyms: Record<string, string>
  /** A text that contains it makes the server refuse the whole batch (400). */
  poison: string | undefined
  misbehave(how: EmbeddingFault | undefined): void
  /** Resolves once the next request has come, with what lets it be answered. */
  holdNext(): Promise<() => void>
  close(): Promise<void>
}

/** An OpenAI-compatible `/v1/embeddings` on loopback, with the hashed embedder's vectors. */
export async function startStubEmbedding(): Promise<StubEmbedding> {
  let fault: EmbeddingFault | undefined
  let held: ((answer: () => void) => void) | undefined
  const server = await startRawServer((incoming, response) => {
    const { model, input, encoding_format } = JSON.parse(server.bodies.at(-1)?.toString() ?? '{}')
    const call: EmbeddingCall = {
      path: incoming.url ?? '',
      headers: incoming.headers,
      model,
      input,
      encodingFormat: encoding_format,
    }
    stub.calls.push(call)
    if (fault) return fail(fault, response)
    if (call.path !== '/v1/embeddings') return send(response, 404, '{"error":{"code":"not_found"}}')
    const { poison } = stub
    if (poison !== undefined && call.input.some((text) => text.includes(poison)))
      return send(response, 400, '{"error":{"message":"secret inner text"}}')
    const data = call.input.map((text, index) => ({ index, embedding: hashedVector(text, stub.synonyms) }))
    const answer = () => send(response, 200, JSON.stringify({ object: 'list', data: data.toReversed() }))
    const hold = held
    held = undefined
    if (hold) hold(answer)
    else answer()
  })
  const stub: StubEmbedding = {
    baseUrl: `${server.url}/v1`,
    calls: [],
    synonyms: {},
    poison: undefined,
    misbehave(how) {
      fault = how
    },
    holdNext: () => new Promise((resolve) => (held = resolve)),
    close: () => server.close(),
  }
  return stub
}

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
}

function fail(how: EmbeddingFault, response: ServerResponse): void {
  if (how === 'silence') return
  if (how === 'huge') return send(response, 200, `{"data":[${'0,'.repeat(10_000_000)}0]}`)
  if (how === 'broken') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"data":[', () => response.destroy())
    return
  }
  send(response, how.status, how.body ?? '{"error":{"message":"secret inner text"}}', how.headers)
}
