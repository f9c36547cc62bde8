import { connect, type Socket } from 'node:net'
import postgres, { type Sql } from 'postgres'

export interface ConnectionSettings {
  readonly url: string
  readonly statementTimeoutMs: number
  /** How values are read and written; Drizzle fills them in before the first statement. */
  readonly types: Pick<Sql['options'], 'parsers' | 'serializers'>
}

/** What the driver hands to its undocumented option `socket`, of all that it made of the URL. */
interface Address {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path: string | false
}

/** A statement, or several of a transaction, whose answer is due. */
export interface Wait {
  since: number
  bytesRead: number
}

type Transaction = Parameters<Parameters<Sql['begin']>[1]>[0]
export type Runner = Pick<Sql, 'unsafe'>

/** One connection to the server, made anew when it is needed and gone. Its user is alone on it. */
export class PooledConnection {
  /** Undefined while nothing is asked. */
  wait: Wait | undefined
  /** Of the server's process at our end, once it has answered. */
  pid: number | undefined
  readonly #settings: ConnectionSettings
  #sql: Sql | undefined
  #socket: Socket | undefined
  #pending = 0
  #dials = 0

  constructor(settings: ConnectionSettings) {
    this.#settings = settings
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0
  }

  run<T>(statement: (sql: Runner) => PromiseLike<T>): Promise<T> {
    return this.#awaited(() => statement(this.#open()))
  }

  /** Commits when `work` has resolved, else rolls back. */
  async transact<T>(work: (run: PooledConnection['run']) => Promise<T>): Promise<T> {
    this.#asked()
    const inside = async (tx: Transaction) => {
      this.#answered()
      try {
        return await work((statement) => this.#awaited(() => statement(this.#alive(tx))))
      } catch (error) {
        // `begin` has rejected; but the driver would still roll back, on a connection that is gone, and throw where nobody catches.
        if (this.#socket?.destroyed) await new Promise(() => {})
        throw error
      } finally {
        this.#asked()
      }
    }
    try {
      return (await this.#open().begin(inside)) as T
    } finally {
      this.#pending = 0
      this.wait = undefined
    }
  }

  /** Breaks the connection: what waits on it rejects now, and its transaction is the server's to roll back. */
  destroy(reason: Error): void {
    this.#socket?.destroy(reason)
    // It also rejects what waits between two attempts to connect.
    void this.#sql?.end({ timeout: 0 })
    this.#sql = undefined
  }

  async close(): Promise<void> {
    if (!this.#socket?.destroyed) await this.#sql?.end({ timeout: 5 })
  }

  /** Asked for anything on a connection that is gone, the driver throws where nobody catches. */
  #alive(tx: Transaction): Transaction {
    if (this.#socket?.destroyed) throw connectionLost('The connection to the database broke.', 'ECONNRESET')
    return tx
  }

  async #awaited<T>(ask: () => PromiseLike<T>): Promise<T> {
    this.#asked()
    try {
      const answer = await ask()
      const { state } = answer as { state?: { pid: number } }
      if (state) this.pid = state.pid
      return answer
    } finally {
      this.#answered()
    }
  }

  #asked(): void {
    this.#pending++
    this.wait = { since: performance.now(), bytesRead: this.bytesRead }
  }

  #answered(): void {
    this.#pending--
    this.wait = this.#pending > 0 ? { since: performance.now(), bytesRead: this.bytesRead } : undefined
  }

  #open(): Sql {
    // Its connection lost, the driver may hold back, for ever, what it is to send next: begin anew.
    if (this.#sql && !this.#socket?.destroyed) return this.#sql
    const { url, statementTimeoutMs, types } = this.#settings
    let isCurrent = () => true
    const options = {
      max: 1,
      connect_timeout: 5,
      idle_timeout: 300,
      backoff: () => 0.1,
      onnotice: () => {},
      // What it asks for so, it asks as a connection is made, and a failure of it would end the process.
      fetch_types: false,
      connection: {
        application_name: 'memory-gateway',
        statement_timeout: statementTimeoutMs,
        idle_in_transaction_session_timeout: 10_000,
      },
      socket: (address: Address) => {
        const socket = this.#dial(address)
        if (isCurrent()) this.#socket = socket
        else socket.destroy()
        return socket
      },
    }
    const sql = postgres(url, options)
    isCurrent = () => this.#sql === sql
    Object.assign(sql.options.parsers, types.parsers)
    Object.assign(sql.options.serializers, types.serializers)
    this.#sql = sql
    this.#socket = undefined
    return sql
  }

  #dial({ host, port, path }: Address): Socket {
    const at = this.#dials++ % host.length
    const socket = path ? connect(path) : connect(port[at] ?? 5432, host[at])
    // The driver takes the name for TLS from here.
    Object.assign(socket, { host: host[at], port: port[at] })
    this.pid = undefined
    // The driver would connect again and again, without an end and a word to who waits.
    socket.once('end', () => socket.destroy(connectionLost('The database closed the connection.', 'ECONNRESET')))
    return socket
  }
}

/** An error that counts as the database being away. */
export function connectionLost(message: string, code: 'ECONNRESET' | 'ETIMEDOUT'): Error {
  return Object.assign(new Error(message), { code })
}
