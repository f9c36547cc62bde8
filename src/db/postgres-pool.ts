import { setTimeout as delay } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { type ConnectionSettings, connectionLost, PooledConnection, type Runner } from './pooled-connection.ts'

const STATEMENT_TIMEOUT_MS = 10_000
/** The server would have ended the statement itself by then. */
const LOST_MS = STATEMENT_TIMEOUT_MS + 2_000
/** After so long without a byte of the answer the server is asked whether it is there. */
const SUSPECT_MS = 1_000
/** Connecting, TLS and login take eight round trips: a server further away than a fifth of a second would seem to be gone. */
const PROBE_MS = 2_000
/** How soon a server that is there is asked about the same statement again. */
const TRUST_MS = 1_000
const WATCH_MS = 250
const POOL_WAIT_MS = 2_000

/** Types that the server has for what is sent as an array; their numbers are fixed. */
const TEXT_ARRAY = 1009
const BIGINT_ARRAY = 1016

interface Waiter {
  readonly take: (connection: PooledConnection) => void
  readonly refuse: (error: Error) => void
}

/**
 * Connections to a PostgreSQL server that never make their users wait for ever. The driver itself has no time limit: when
 * the network swallows what is sent, or the server stands still, an answer would never come. So a connection that waits is
 * suspected, and another one asks the server: if that gets no answer either, all that wait are broken, and nobody else is
 * let in until the server answers again; if the server is there, but waits for us where we wait for it, that connection is broken, and those
 * at rest are made anew before they are used.
 * Any other statement is merely slow, until the server's own limit for statements has passed.
 */
export class PostgresPool {
  readonly #settings: ConnectionSettings
  readonly #connections: readonly PooledConnection[]
  readonly #idle: PooledConnection[]
  readonly #waiters = new Set<Waiter>()
  readonly #timer: NodeJS.Timeout
  #isAway = false
  #isProbing = false
  #trustedUntil = 0

  constructor(options: { url: string; maxConnections: number }) {
    const types = { parsers: {}, serializers: { [TEXT_ARRAY]: writeArray, [BIGINT_ARRAY]: writeArray } }
    this.#settings = { url: options.url, statementTimeoutMs: STATEMENT_TIMEOUT_MS, types }
    this.#connections = Array.from({ length: options.maxConnections }, () => new PooledConnection(this.#settings))
    this.#idle = [...this.#connections]
    this.#timer = setInterval(() => void this.#watch(), WATCH_MS).unref()
  }

  /** What Drizzle needs of the driver: one statement, or one transaction, on a connection of the pool. */
  get client(): Sql {
    const client = {
      options: this.#settings.types,
      unsafe: statementsOn((statement) => this.#withConnection((connection) => connection.run(statement))),
      begin: (work: (tx: unknown) => Promise<unknown>) =>
        this.#withConnection((connection) => connection.transact((run) => work({ unsafe: statementsOn(run) }))),
    }
    return client as unknown as Sql
  }

  async query<T>(text: string): Promise<T[]> {
    return this.#withConnection((connection) =>
      connection.run((sql) => sql.unsafe<T[] & Record<string, unknown>[]>(text)),
    )
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#connections.map((connection) => connection.close()))
  }

  async #withConnection<T>(work: (connection: PooledConnection) => Promise<T>): Promise<T> {
    const connection = await this.#take()
    try {
      return await work(connection)
    } finally {
      const [next] = this.#waiters
      if (next) next.take(connection)
      else this.#idle.push(connection)
    }
  }

  #take(): PooledConnection | Promise<PooledConnection> {
    if (this.#isAway) throw noAnswer()
    const connection = this.#idle.pop()
    if (connection) return connection
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
      }
      const waiter: Waiter = {
        take(given) {
          leave()
          resolve(given)
        },
        refuse(error) {
          leave()
          reject(error)
        },
      }
      const timer = setTimeout(
        () => waiter.refuse(connectionLost('No connection to the database came free.', 'ETIMEDOUT')),
        POOL_WAIT_MS,
      )
      this.#waiters.add(waiter)
    })
  }

  async #watch(): Promise<void> {
    const now = performance.now()
    const waiting = this.#connections.flatMap((connection) => {
      const { wait, bytesRead } = connection
      if (!wait) return []
      if (wait.bytesRead !== bytesRead) Object.assign(wait, { bytesRead, since: now })
      if (now - wait.since > LOST_MS) connection.destroy(connectionLost('The database never answered.', 'ETIMEDOUT'))
      return [{ connection, wait, bytesRead, pid: connection.pid }]
    })
    const isSuspect = waiting.some(({ wait }) => now - wait.since > SUSPECT_MS)
    if (this.#isProbing || !(this.#isAway || (isSuspect && now > this.#trustedUntil))) return
    this.#isProbing = true
    const probe = new PooledConnection(this.#settings)
    const stuck = await waitingProcesses(
      probe,
      waiting.flatMap(({ pid }) => pid ?? []),
    )
    const lost = waiting.filter(({ connection, wait, bytesRead, pid }) => {
      if (connection.wait !== wait || connection.bytesRead !== bytesRead) return false
      return !stuck || (pid !== undefined && stuck.has(pid) && now - wait.since > SUSPECT_MS)
    })
    for (const { connection } of lost) connection.destroy(noAnswer())
    const gone = lost.flatMap(({ pid }) => pid ?? [])
    // What has befallen one has likely befallen those at rest: else a request would find out of one after the other, each time for a second.
    if (lost.length > 0) {
      for (const connection of this.#idle) {
        gone.push(connection.pid ?? 0)
        connection.destroy(noAnswer())
      }
    }
    this.#isAway = stuck === undefined
    if (this.#isAway) for (const waiter of this.#waiters) waiter.refuse(noAnswer())
    // The server would keep their locks until it noticed.
    else if (lost.length > 0) await endProcesses(probe, gone)
    probe.destroy(noAnswer())
    this.#isProbing = false
    this.#trustedUntil = performance.now() + TRUST_MS
  }
}

const noAnswer = () => connectionLost('The database does not answer.', 'ETIMEDOUT')

/** Those of the server's processes that wait for us, to send or to take; undefined if the server does not answer. */
async function waitingProcesses(
  probe: PooledConnection,
  pids: readonly number[],
): Promise<ReadonlySet<number> | undefined> {
  const text = `select pid from pg_stat_activity where wait_event_type = 'Client' and pid = any('{${pids.join(',')}}')`
  try {
    const rows = await Promise.race([probe.run((sql) => sql.unsafe<{ pid: number }[]>(text)), timeLimit()])
    return new Set(rows.map(({ pid }) => pid))
  } catch (error) {
    return error instanceof postgres.PostgresError ? new Set() : undefined
  }
}

async function endProcesses(probe: PooledConnection, pids: readonly number[]): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Client' and pid = any('{${pids.join(',')}}')`
  await Promise.race([probe.run((sql) => sql.unsafe(text)), timeLimit()]).catch(() => {})
}

/** In two parts: after the process itself stood still, what has come in meanwhile is read between them. */
async function timeLimit(): Promise<never> {
  for (const part of [PROBE_MS / 2, PROBE_MS / 2]) await delay(part, undefined, { ref: false })
  throw noAnswer()
}

/** As PostgreSQL reads arrays; what is written so already stays. */
function writeArray(values: readonly (string | number)[] | string): string {
  if (typeof values === 'string') return values
  return `{${values.map((value) => `"${String(value).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

type Run = <T>(statement: (sql: Runner) => PromiseLike<T>) => Promise<T>

/** `unsafe` of the driver: the statement runs when it is awaited, or when its rows are asked for as arrays. */
function statementsOn(run: Run) {
  return (...statement: Parameters<Sql['unsafe']>) => ({
    values: () => run((sql) => sql.unsafe(...statement).values()),
    // oxlint-disable-next-line unicorn/no-thenable -- so is the driver's
    then: <A, B>(resolved: (rows: unknown) => A, rejected: (error: unknown) => B) =>
      run((sql) => sql.unsafe(...statement)).then(resolved, rejected),
  })
}
