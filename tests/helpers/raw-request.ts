import { request } from 'node:http'
import type { Answer } from './client.ts'

export interface RawRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Sends the body in pieces and without its length. */
  readonly chunked?: boolean
  /** Breaks the connection after so many bytes of the body. */
  readonly cutAfter?: number
  readonly timeoutMs?: number
}

/**
 * Sends exactly these bytes on a connection of its own. Rejects if no whole answer came in time; undefined if the
 * connection broke without one.
 */
export function rawRequest(url: string, options: RawRequest = {}): Promise<Answer | undefined> {
  const { method = 'POST', headers = {}, body = new Uint8Array(), chunked, cutAfter, timeoutMs = 8_000 } = options
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      sent.destroy()
      reject(new Error(`No answer within ${timeoutMs} ms.`))
    }, timeoutMs)
    const finish = (answer: Answer | undefined) => {
      clearTimeout(timer)
      resolve(answer)
    }
    const length = chunked ? {} : { 'content-length': String(body.length) }
    const sent = request(url, { method, agent: false, headers: { ...length, ...headers } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => finish(undefined))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = response.headers['content-type']?.includes('json')
        const entries = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const)
        finish({
          status: response.statusCode ?? 0,
          headers: new Headers(entries.map(([name, value]) => [name, value])),
          body: isJson ? JSON.parse(text) : text,
        })
        sent.destroy()
      })
    })
    // An answer that comes before the body's end makes the rest of the body fail: the answer counts.
    sent.on('error', () => setTimeout(finish, 50, undefined))
    if (cutAfter !== undefined) {
      sent.write(body.subarray(0, cutAfter), () => sent.destroy())
      return
    }
    if (!chunked) {
      sent.end(body)
      return
    }
    for (let at = 0; at < body.length; at += 16_384) sent.write(body.subarray(at, at + 16_384))
    sent.end()
  })
}
