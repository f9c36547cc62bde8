import { connect, type Socket } from 'node:net'
import type { Answer } from '../../helpers/client.ts'

/** What came back on the wire: an answer, or the end of the connection without one. */
export type Outcome = { answer: Answer; isReusable: boolean } | 'closed' | 'hung'

/** One keep-alive connection at a time to one server, for exact bytes. */
export class RawClient {
  readonly #port: number
  readonly #host: string
  #socket: Socket | undefined

  constructor({ hostname, port }: URL) {
    this.#host = hostname
    this.#port = Number(port)
  }

  /** Sends the bytes; `isLast`: nothing follows, and the client says so. */
  async exchange(bytes: Buffer, options: { isLast: boolean; isHead: boolean; timeoutMs: number }): Promise<Outcome> {
    const socket = (this.#socket ??= await open(this.#host, this.#port))
    const outcome = await new Promise<Outcome>((resolve) => {
      let received: Buffer = Buffer.alloc(0)
      const finish = (result: Outcome) => {
        clearTimeout(timer)
        socket.off('data', onData).off('close', onClose)
        resolve(result)
      }
      const timer = setTimeout(() => finish('hung'), options.timeoutMs)
      const onData = (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
        const answer = parse(received, options.isHead, false)
        if (answer) finish(answer)
      }
      const onClose = () => finish(parse(received, options.isHead, true) ?? 'closed')
      socket.on('data', onData).once('close', onClose)
      if (socket.destroyed) onClose()
      else if (options.isLast) socket.end(bytes)
      else socket.write(bytes)
    })
    if (outcome === 'closed' || outcome === 'hung' || options.isLast || !outcome.isReusable) this.close()
    return outcome
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      socket.off('error', reject).on('error', () => {})
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

function parse(received: Buffer, isHead: boolean, isClosed: boolean): Exclude<Outcome, string> | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [first = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(first.split(' ')[1])
  const rest = received.subarray(headEnd + 4)
  if (status >= 100 && status < 200) return parse(rest, isHead, isClosed)
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = isHead || status === 204 || status === 304 ? Buffer.alloc(0) : bodyOf(rest, headers, isClosed)
  if (!body) return undefined
  const text = body.toString()
  const isJson = headers.get('content-type')?.includes('json') && text !== ''
  const isReusable = headers.get('connection') !== 'close' && !isClosed
  return { answer: { status, headers, body: isJson ? JSON.parse(text) : text }, isReusable }
}

function bodyOf(rest: Buffer, headers: Headers, isClosed: boolean): Buffer | undefined {
  const length = headers.get('content-length')
  if (length !== null) return rest.length >= Number(length) ? rest.subarray(0, Number(length)) : undefined
  if (!headers.get('transfer-encoding')) return isClosed ? rest : undefined
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString(), 16)
    if (size === 0) return rest.indexOf('\r\n\r\n', lineEnd) >= 0 ? Buffer.concat(pieces) : undefined
    pieces.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
