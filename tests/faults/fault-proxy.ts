import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

type End = 'client' | 'server'

/**
 * When a break happens: as soon as `from` has sent something (default: the server), after so many of its bytes, or in place of the
 * chunk that holds the text.
 */
interface Trigger {
  readonly from?: End
  readonly afterBytes?: number
  readonly at?: string
}

export type Fault =
  | { readonly mode: 'pass' }
  /** Nobody listens, and the connections there are break. */
  | { readonly mode: 'refuse' }
  /** Connections are accepted and closed at once, as by a load balancer with nothing behind it. */
  | { readonly mode: 'close' }
  /** Connections are accepted, and no byte moves either way until the fault is over: then what waited goes on. */
  | { readonly mode: 'stall' }
  /** The connections there are never move a byte again, and nobody is told; new ones pass. */
  | { readonly mode: 'half-open' }
  /** RST to both ends. */
  | ({ readonly mode: 'reset' } & Trigger)
  /** FIN to both ends. */
  | ({ readonly mode: 'cut' } & Trigger)
  | { readonly mode: 'delay'; readonly ms: number }
  /** Flips a bit of each so manieth byte that the server sends on a connection. */
  | { readonly mode: 'corrupt'; readonly every: number }
  /** The server is not asked: whatever the client says, it gets these bytes, then FIN. */
  | { readonly mode: 'answer'; readonly bytes: string | Uint8Array }

export interface FaultProxy {
  /** The target's URL with the proxy's address in it. */
  readonly url: string
  set(fault: Fault): Promise<void>
  /** How many connections were accepted so far. */
  readonly accepted: number
  close(): Promise<void>
}

/** An address in front of a TCP server, where the network and the server can fail in every way that TCP has. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const links = new Set<Link>()
  let fault: Fault = { mode: 'pass' }
  let accepted = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted++
    const link = new Link(client, { hostname, port: Number(port) }, fault)
    links.add(link)
    client.once('close', () => links.delete(link))
  })
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve))
  const stopListening = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const link of links) link.break('reset')
    })
  await listen(0)
  const own = (server.address() as AddressInfo).port
  const url = new URL(target)
  url.host = `127.0.0.1:${own}`
  return {
    url: url.pathname === '/' ? url.href.slice(0, -1) : url.href,
    get accepted() {
      return accepted
    },
    async set(next) {
      fault = next.mode === 'half-open' ? { mode: 'pass' } : next
      if (next.mode === 'refuse') return stopListening()
      for (const link of links) link.suffer(next)
      if (!server.listening) await listen(own)
    },
    close: stopListening,
  }
}

/** One connection through the proxy. */
class Link {
  readonly #client: Socket
  readonly #target: { hostname: string; port: number }
  #server: Socket | undefined
  #fault: Fault
  /** Bytes of the fault's trigger, or corrupted so far. */
  #seen = 0
  #isDead = false

  constructor(client: Socket, target: { hostname: string; port: number }, fault: Fault) {
    this.#client = client
    this.#target = target
    this.#fault = { mode: 'pass' }
    this.#listen(client, 'client')
    this.suffer(fault)
  }

  suffer(fault: Fault): void {
    if (this.#isDead) return
    this.#fault = fault
    this.#seen = 0
    if (fault.mode === 'close') return this.break('cut')
    this.#isDead = fault.mode === 'half-open'
    if (fault.mode === 'stall' || this.#isDead) {
      this.#client.pause()
      this.#server?.pause()
      return
    }
    if (fault.mode !== 'answer') this.#open()
    this.#client.resume()
    this.#server?.resume()
  }

  break(how: 'reset' | 'cut'): void {
    for (const socket of [this.#client, this.#server]) {
      if (how === 'reset') socket?.resetAndDestroy()
      else socket?.destroy()
    }
  }

  #open(): void {
    if (this.#server) return
    this.#server = connect({ host: this.#target.hostname, port: this.#target.port, allowHalfOpen: true })
    this.#listen(this.#server, 'server')
  }

  #other(end: End): Socket | undefined {
    return end === 'client' ? this.#server : this.#client
  }

  #listen(socket: Socket, end: End): void {
    socket.on('data', (chunk: Buffer) => this.#pass(socket, end, chunk))
    socket.on('end', () => this.#other(end)?.end())
    socket.on('error', () => this.#other(end)?.resetAndDestroy())
    socket.on('close', () => this.#other(end)?.destroy())
  }

  #pass(socket: Socket, end: End, chunk: Buffer): void {
    const fault = this.#fault
    if (fault.mode === 'answer') {
      this.#client.end(fault.bytes)
      this.#server?.destroy()
    } else if (fault.mode === 'delay') {
      // One timer a chunk: Node runs timers of one length in their order.
      setTimeout(() => this.#write(socket, end, chunk), fault.ms)
    } else if (fault.mode === 'corrupt' && end === 'server') {
      this.#write(socket, end, this.#corrupted(chunk, fault.every))
    } else if ((fault.mode === 'reset' || fault.mode === 'cut') && (fault.from ?? 'server') === end) {
      this.#passUntil(socket, end, chunk, fault)
    } else {
      this.#write(socket, end, chunk)
    }
  }

  #passUntil(socket: Socket, end: End, chunk: Buffer, fault: Trigger & { mode: 'reset' | 'cut' }): void {
    if (fault.at !== undefined) {
      if (!chunk.includes(fault.at)) return this.#write(socket, end, chunk)
      return this.break(fault.mode)
    }
    const left = (fault.afterBytes ?? 0) - this.#seen
    this.#seen += chunk.length
    if (chunk.length < left) return this.#write(socket, end, chunk)
    // What was let through has to leave before the end of the connection.
    const other = this.#other(end)
    if (left > 0 && other?.writable) other.write(chunk.subarray(0, left), () => this.break(fault.mode))
    else this.break(fault.mode)
  }

  #write(from: Socket, end: End, chunk: Buffer): void {
    const to = this.#other(end)
    if (!to?.writable || to.write(chunk)) return
    from.pause()
    to.once('drain', () => {
      if (this.#fault.mode !== 'stall' && !this.#isDead) from.resume()
    })
  }

  #corrupted(chunk: Buffer, every: number): Buffer {
    const bytes = Buffer.from(chunk)
    for (let at = every - (this.#seen % every) - 1; at < bytes.length; at += every) bytes[at] = (bytes[at] ?? 0) ^ 1
    this.#seen += bytes.length
    return bytes
  }
}
