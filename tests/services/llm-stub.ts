import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'

// An OpenAI-compatible endpoint for tests: answers every prompt of EverOS with valid, deterministic JSON made from
// the conversation in the prompt itself, and embeds text by hashing its words and character pairs.

const DIMENSIONS = 1024

interface Message {
  readonly content: string | readonly { type: string; text?: string }[] | null
}

/** EverOS looks for the first balanced braces and does not mind strings, so none may be inside. */
function clean(text: string): string {
  return text.replace(/[{}]/g, ' ').replace(/\s+/g, ' ').trim()
}

/** What a prompt is about: an episode's text, or what the speakers said, of `"speaker": …, "content": …` lines or `[1] [time] name: text` lines. */
function conversation(prompt: string): string {
  const [, episode] = /^- EPISODE_TEXT: "([\s\S]*)"\n- TIME: /m.exec(prompt) ?? []
  if (episode) return clean(episode)
  const said = [...prompt.matchAll(/"speaker": (.*),\n\s*"content": ([\s\S]*?)\n\s*\}/g)].map(
    ([, speaker, text]) => `${speaker}: ${text}`,
  )
  const lines = [...prompt.matchAll(/^\[[^\]]*\] (.+?: .+)$/gm)].map(([, line]) => line ?? '')
  return clean((said.length > 0 ? said : lines).join(' ')) || clean(prompt).slice(-2000)
}

/** Answers by the shape that the prompt asks for. */
export function answer(prompt: string): string {
  if (prompt.includes('"boundaries"'))
    return JSON.stringify({ reasoning: 'one topic', boundaries: [], should_wait: false })
  if (prompt.includes('should_end'))
    return JSON.stringify({ should_end: false, reasoning: 'one topic', confidence: 1, topic_summary: '' })
  if (prompt.includes('"atomic_facts"')) {
    return JSON.stringify({
      atomic_facts: {
        time: 'March 10, 2024(Sunday) at 2:00 PM UTC',
        atomic_fact: [conversation(prompt).slice(0, 500)],
      },
    })
  }
  if (prompt.includes('is_sufficient')) return JSON.stringify({ is_sufficient: true, reasoning: 'enough' })
  if (prompt.includes('has_exploration'))
    return JSON.stringify({ has_exploration: false, has_user_correction: false, reason: 'small talk' })
  if (prompt.includes('"foresights"')) return JSON.stringify({ foresights: [] })
  if (prompt.includes('"title"')) {
    const text = conversation(prompt)
    return JSON.stringify({ title: text.slice(0, 80), content: text, summary: text.slice(0, 200) })
  }
  if (prompt.includes('profile')) return JSON.stringify({ operations: [], explicit_info: [], implicit_traits: [] })
  return `This file says: ${clean(prompt).slice(-500)}`
}

export function embed(text: string): number[] {
  const vector = Array.from({ length: DIMENSIONS }, () => 0)
  const lower = text.toLowerCase()
  const features = [
    ...(lower.match(/[\p{L}\p{N}]+/gu) ?? []),
    ...Array.from(lower, (char, index) => char + (lower[index + 1] ?? '')),
  ]
  for (const feature of features) {
    const slot = createHash('md5').update(feature).digest().readUInt16BE(0) % DIMENSIONS
    vector[slot] = (vector[slot] ?? 0) + 1
  }
  const norm = Math.hypot(...vector) || 1
  return vector.map((value) => value / norm)
}

function textOf({ content }: Message): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text ?? `[${part.type}]`).join('\n')
}

function reply(
  path: string,
  body: { messages?: Message[]; input?: string | string[]; model?: string; documents?: string[] },
  instead?: string,
): object | undefined {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  const common = { id: 'stub', created: 0, model: body.model ?? 'stub', usage }
  if (path.endsWith('/chat/completions')) {
    const content = instead ?? answer((body.messages ?? []).map(textOf).join('\n'))
    const message = { role: 'assistant', content }
    return { ...common, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }
  }
  if (path.endsWith('/embeddings')) {
    const data = [body.input ?? '']
      .flat()
      .map((text, index) => ({ object: 'embedding', index, embedding: instead ? JSON.parse(instead) : embed(text) }))
    return { ...common, object: 'list', data }
  }
  if (path.endsWith('/rerank')) {
    const results = (body.documents ?? []).map((_, index) => ({ index, relevance_score: 1 / (index + 1) }))
    return { id: 'stub', results }
  }
  return undefined
}

/**
 * Asked before each answer, with the request's text: a number is answered as that status, a string is what the model
 * says, or the vector of an embedding as JSON.
 */
export type Interference = (path: string, text: string) => Promise<number | string | undefined>

export interface LlmStub {
  readonly url: string
  /** Undefined: answers as it should. */
  interfere: Interference | undefined
  close(): Promise<void>
}

async function handle(request: IncomingMessage, response: ServerResponse, stub: LlmStub): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  const path = request.url ?? ''
  const instead = await stub.interfere?.(path, text)
  const body = typeof instead === 'number' ? undefined : reply(path, text ? JSON.parse(text) : {}, instead)
  response.writeHead(body ? 200 : typeof instead === 'number' ? instead : 404, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body ?? { error: { message: 'not found' } }))
}

/** Listens on loopback; port 0 takes any. */
export async function startLlmStub(port = 0): Promise<LlmStub> {
  const server = createServer((request, response) => void handle(request, response, stub))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stub: LlmStub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    interfere: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return stub
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { url } = await startLlmStub(Number(process.argv[2] ?? 0))
  console.log(url)
}
