import { type SQL, sql } from 'drizzle-orm'
import { Agent, errors } from 'undici'
import { erasures } from '../../../src/db/schema/erasures.ts'
import { sessions } from '../../../src/db/schema/sessions.ts'
import { sweepOrphans } from '../../../src/domain/attachments/sweep-orphans.ts'
import { continueErasure } from '../../../src/domain/erasure/continue-erasure.ts'
import { BackendError } from '../../../src/ports/memory-backend.ts'
import { type EverosFault, type FakeEveros, type RecordedRequest, startFakeEveros } from '../../helpers/fake-everos.ts'
import { type RawServer, startRawServer } from '../../helpers/raw-server.ts'
import { type Deployment, prepareDeployment, type Replica } from '../../helpers/replicas.ts'
import { marksIn, secretsIn } from './marks.ts'
import type { Player } from './player.ts'

/** How long calls to the backend may take here; a held one takes longer. */
const BACKEND_MS = 600
const HOLD_MS = 900
/** Longer than any program takes. */
const SWEPT_AFTER_MS = 300_000
const METHODS = ['hybrid', 'keyword', 'vector', 'agentic'] as const

export interface Counts {
  programs: number
  steps: number
  requests: number
  aborted: number
  restarts: number
  faults: number
  upstreamRequests: number
  /** Answers of 5xx or 202 to users whose backend had no fault: the machine was slow. */
  slow: number
  /** Writes that were repeated with their Idempotency-Key, and answered with the first answer. */
  repeated: number
  /** Users who were erased. */
  erased: number
}

/** A replica, and the connections to it that all players share. */
interface ReachedReplica extends Replica {
  readonly agent: Agent
}

/** Lets the requests under way come to their end, so that none is lost by a connection that closes as it comes. */
async function leave({ agent, close }: ReachedReplica): Promise<void> {
  // An aborted request may have destroyed a connection of it already, which undici reports.
  await agent.close().catch((error: unknown) => {
    if (!(error instanceof errors.ClientDestroyedError)) throw error
  })
  await close()
}

/** Replicas on one database, each with a search method of its own, in front of an EverOS that hands out everybody's data; many programs play on them at once. */
export class World {
  readonly counts: Counts = {
    programs: 0,
    steps: 0,
    requests: 0,
    aborted: 0,
    restarts: 0,
    faults: 0,
    upstreamRequests: 0,
    slow: 0,
    repeated: 0,
    erased: 0,
  }
  /** The marks of those who were erased. */
  readonly erasedMarks = new Set<string>()
  /** Lines of the log that hold a secret. */
  readonly badLines: string[] = []
  readonly fake: FakeEveros
  /** An address that nobody may ever call. */
  readonly canary: RawServer
  readonly #deployment: Deployment
  readonly #replicas: ReachedReplica[] = []
  /** One that nobody asks anything, and that is never restarted: for what is looked up and done behind the users' backs. */
  readonly keeper: Replica
  readonly #closing: Promise<void>[] = []
  readonly #players = new Map<string, Player>()
  readonly #playerOfProject = new Map<string, Player>()
  /** The mark of whose project it was, of programs that are over. */
  readonly #ownerOf = new Map<string, string>()
  readonly #traffic = new Map<string, RecordedRequest[]>()

  private constructor(fake: FakeEveros, canary: RawServer, deployment: Deployment, keeper: Replica) {
    this.fake = fake
    this.canary = canary
    this.#deployment = deployment
    this.keeper = keeper
  }

  static async open(): Promise<World> {
    const canary = await startRawServer((_request, response) => void response.end())
    const chosen: { by?: (body: Record<string, unknown>) => EverosFault | undefined } = {}
    const fake = await startFakeEveros({
      hostile: true,
      embed: true,
      holdMs: HOLD_MS,
      elsewhere: canary.url,
      chooseFault: (_route, body) => chosen.by?.(body),
    })
    let world: World | undefined
    const deployment = await prepareDeployment(
      {
        MEMORY_BACKEND: 'everos',
        EVEROS_BASE_URL: fake.url,
        EVEROS_API_PREFIX: '/api/v2/memory',
        RELAY_WAIT_MS: '400',
        RELAY_ATTEMPTS: '4',
        BACKEND_ADD_TIMEOUT_MS: String(BACKEND_MS),
        BACKEND_FLUSH_TIMEOUT_MS: String(BACKEND_MS),
        BACKEND_SEARCH_TIMEOUT_MS: String(BACKEND_MS),
        MAX_UPLOADS_PER_USER: '8',
        DATABASE_POOL_SIZE: '4',
      },
      (line) => world?.readLog(line),
    )
    world = new World(fake, canary, deployment, await deployment.start())
    chosen.by = (body) => world?.chooseFault(body)
    for (let index = 0; index < METHODS.length; index++) world.#replicas.push(await world.#start(index))
    return world
  }

  replica(index: number): ReachedReplica {
    return this.#replicas[index % this.#replicas.length] as ReachedReplica
  }

  get database() {
    return this.keeper.services.db
  }

  /** Rows of a query, on either database. */
  async rows<T>(query: SQL): Promise<T[]> {
    const result = (await this.database.execute(query)) as unknown as { rows?: T[] } & T[]
    return result.rows ?? [...result]
  }

  /** A replica takes the place of another, which ends once it has let its requests go. */
  async restart(index: number): Promise<void> {
    this.counts.restarts += 1
    const at = index % this.#replicas.length
    const old = this.replica(at)
    this.#replicas[at] = await this.#start(at)
    this.#closing.push(leave(old))
  }

  join(player: Player): void {
    this.#players.set(player.mark, player)
  }

  /** The requests made in the projects so far, each once. */
  takeTraffic(projects: readonly string[]): Map<string, RecordedRequest[]> {
    this.#sortTraffic()
    const taken = new Map(projects.map((project) => [project, this.#traffic.get(project) ?? []]))
    for (const project of projects) this.#traffic.delete(project)
    return taken
  }

  /** Requests that came after their program was over (of what was broken off), and are not of the user of their project. */
  foreignLateRequests(): RecordedRequest[] {
    this.#sortTraffic()
    return [...this.#traffic].flatMap(([project, requests]) =>
      requests.filter(({ body }) => {
        const owner = this.#ownerOf.get(project)
        return owner === undefined || [...marksIn(JSON.stringify(body))].some((mark) => mark !== owner)
      }),
    )
  }

  /**
   * As if minutes had passed, and the jobs had run, so many times at most. True if nothing is left to relay or to forget.
   */
  async settle(players: readonly Player[], rounds: number): Promise<boolean> {
    const ids = players.flatMap(({ id, former }) => [id, ...former.map(({ userId }) => `erased:${userId}`)])
    const users = sql`(select id from users where external_id = any(${sql.param(`{${ids.join(',')}}`)}::text[]))`
    const { services } = this.keeper
    const ctx = { services, requestId: 'test', log: services.log }
    for (let round = 0; ; round++) {
      await this.fake.atRest()
      for (const table of [sql`batches`, sql`sessions`]) {
        await this.database.execute(
          sql`update ${table} set settles_at = settles_at - interval '10 minutes' where user_id in ${users} and settles_at is not null`,
        )
      }
      const open = await this.database
        .select({ id: sessions.id })
        .from(sessions)
        .where(
          sql`user_id in ${users} and deleted_at is null and exists (select from batches
            where batches.session_id = sessions.id and state in ('stored', 'relaying', 'unknown'))`,
        )
      const unfinished = await this.database
        .select({ id: erasures.id })
        .from(erasures)
        .where(sql`user_id in ${users} and finished_at is null`)
      if (open.length + unfinished.length === 0) return true
      if (round >= rounds) return false
      // One of them may be at it.
      for (const { id } of open) await this.replica(round).services.relay.drain(id)
      if (unfinished.length === 0) continue
      const signal = AbortSignal.timeout(10_000)
      for (const { id } of unfinished) await continueErasure({ ...ctx, signal }, id).catch(unlessBackend)
      // An upload that was taken back leaves its objects to the sweeper.
      await this.database.execute(
        sql`update attachments set updated_at = updated_at - interval '10 minutes' where user_id in ${users} and state = 'deleting'`,
      )
      await sweepOrphans({ ...ctx, signal }, SWEPT_AFTER_MS)
    }
  }

  /** Forgets a program that is over. */
  leave(players: readonly Player[], ownerOf: ReadonlyMap<string, Player>): void {
    for (const player of players) this.#players.delete(player.mark)
    for (const [project, { mark }] of ownerOf) {
      this.#ownerOf.set(project, mark)
      this.#playerOfProject.delete(project)
      this.fake.memory.forget('default', project, {})
    }
  }

  /** What the whole database still has of those who were erased, and what the records that are kept have of anybody. */
  async remains(): Promise<string[]> {
    const tables = await this.rows<{ name: string }>(
      sql`select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
    )
    const found: string[] = []
    for (const { name } of tables) {
      const isRecord = name.endsWith('.audit_log') || name.endsWith('.erasures')
      const pattern = isRecord ? 'zqcana|uk_[A-Za-z0-9_-]{49}|user\\.[0-9a-f]{16}' : 'zqcana|enFjYW5h'
      const rows = await this.rows<{ text: string }>(
        sql`select t::text as text from ${sql.raw(name)} t where t::text ~ ${pattern}`,
      )
      for (const { text } of rows) {
        const isErased = [...marksIn(text)].some((mark) => this.erasedMarks.has(mark))
        if (isRecord || isErased) found.push(`${name}: ${text.slice(0, 500)}`)
      }
    }
    return found
  }

  async droppedRows(): Promise<number> {
    let dropped = 0
    for (const { services } of this.#replicas) {
      const metric = await services.metrics.registry.getSingleMetric('gateway_dropped_hits_total')?.get()
      for (const { value } of metric?.values ?? []) dropped += value
    }
    return dropped
  }

  async close(): Promise<void> {
    await Promise.all([...this.#closing, ...this.#replicas.map(leave), this.keeper.close()])
    await this.#deployment.close()
    await this.fake.close()
    await this.canary.close()
  }

  readLog(line: string): void {
    const found = secretsIn(line)
    if (found.length > 0 && this.badLines.length < 20) this.badLines.push(`${found.join(' ')} in ${line}`)
  }

  chooseFault(body: Record<string, unknown>): EverosFault | undefined {
    const project = String(body.project_id)
    let player = this.#playerOfProject.get(project)
    if (!player) {
      const [mark] = marksIn(JSON.stringify(body))
      player = this.#players.get(mark ?? '')
      if (player) this.#playerOfProject.set(project, player)
    }
    const fault = player?.nextFault()
    if (fault) this.counts.faults += 1
    return fault
  }

  async #start(index: number): Promise<ReachedReplica> {
    const replica = await this.#deployment.start({ EVEROS_SEARCH_METHOD: METHODS[index] ?? 'keyword' })
    return { ...replica, agent: new Agent({ connections: 32, pipelining: 1 }) }
  }

  #sortTraffic(): void {
    for (const request of this.fake.takeRequests()) {
      if (request.path === '/health') continue
      this.counts.upstreamRequests += 1
      const project = String(request.body.project_id)
      const list = this.#traffic.get(project)
      if (list) list.push(request)
      else this.#traffic.set(project, [request])
    }
  }
}

function unlessBackend(error: unknown): void {
  if (!(error instanceof BackendError)) throw error
}
