import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Answer, DemoError, interrupted } from './terminal.ts'

export const root = resolve(import.meta.dirname, '../..')

/** An answer takes this long at most, and so does a start. */
export const START_MS = 120_000

async function send(url: string, init: RequestInit): Promise<Response> {
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(START_MS)])
  return fetch(url, { ...init, signal }).catch((error: Error) => {
    throw new DemoError(`no answer from ${url} (${error.cause instanceof Error ? error.cause.message : error.message})`)
  })
}

async function call<T>(
  url: string,
  init: RequestInit,
  accepted: readonly number[],
  read: 'json' | 'bytes' = 'json',
): Promise<Answer<T>> {
  const start = performance.now()
  const response = await send(url, init)
  const bytes = Buffer.from(await response.arrayBuffer())
  const ms = performance.now() - start
  const { status, headers } = response
  if (!accepted.includes(status)) throw refusal(status, bytes.toString())
  return { status, ms, headers, body: (read === 'json' ? JSON.parse(bytes.toString()) : bytes) as T }
}

function refusal(status: number, text: string): DemoError {
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.slice(0, 500)
  const hint = status === 401 ? ' Set GATEWAY_ADMIN_KEY to the key of that gateway.' : ''
  return new DemoError(`the gateway answered ${status}: ${message}${hint}`)
}

/** Requests with one key, and the same headers in each. */
export class Client {
  readonly base: string
  readonly #headers: Record<string, string>

  constructor(base: string, key: string | undefined, headers: Readonly<Record<string, string>> = {}) {
    this.base = base
    this.#headers = { ...headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) }
  }

  get<T>(path: string): Promise<Answer<T>> {
    return call(this.base + path, { headers: this.#headers }, [200])
  }

  post<T>(path: string, body: object, accepted = [200, 201, 202]): Promise<Answer<T>> {
    return call(this.base + path, this.#posted(body), accepted)
  }

  upload<T>(path: string, fields: Record<string, string>, files: Record<string, File>): Promise<Answer<T>> {
    const form = new FormData()
    for (const [name, value] of [...Object.entries(fields), ...Object.entries(files)]) form.append(name, value)
    return call(this.base + path, { method: 'POST', headers: this.#headers, body: form }, [200, 201, 202])
  }

  download(path: string): Promise<Answer<Buffer>> {
    return call(this.base + path, { headers: this.#headers }, [200], 'bytes')
  }

  /** Posts, and hands on each event of the answer's stream as it comes; the body is the ms to the first of them. */
  async stream(path: string, body: object, take: (event: unknown) => void): Promise<Answer<number>> {
    const start = performance.now()
    const response = await send(this.base + path, this.#posted(body))
    const { status, headers, body: stream } = response
    if (status !== 200 || !stream) throw refusal(status, await response.text())
    const decoder = new TextDecoder()
    let [rest, first] = ['', 0]
    for await (const chunk of stream) {
      first ||= performance.now() - start
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) if (event.startsWith('data: {')) take(JSON.parse(event.slice('data: '.length)))
    }
    return { status, ms: performance.now() - start, headers, body: first }
  }

  #posted(body: object): RequestInit {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    return { method: 'POST', headers, body: JSON.stringify(body) }
  }
}

export function testFile(name: string, type: string): File {
  return new File([readFileSync(join(root, 'tests', name))], name, { type })
}
