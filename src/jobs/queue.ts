import { fromPglite, type PerJobWorkHandler, PgBoss } from 'pg-boss'
import type { DatabaseConnection } from '../db/database.ts'
import type { PgliteConnection } from '../db/pglite.ts'
import { queueDatabase } from '../db/queue-database.ts'
import { sqlState } from '../db/sql-state.ts'
import type { Job, JobQueue } from '../domain/context.ts'
import { QUIET_SECONDS } from '../domain/threads/flush-thread.ts'
import type { Log } from '../observability/logger.ts'
import { startWorkers } from './workers.ts'

export interface RunningQueue extends JobQueue {
  /** Begins to work. `false` from a handler: not done yet, try again later. */
  work(handlers: JobHandlers): Promise<void>
  /** Takes no more jobs, waits for those at work. */
  stop(): Promise<void>
}

export type JobHandlers = {
  [N in Job['name']]: (job: Extract<Job, { name: N }>, signal: AbortSignal) => Promise<boolean>
}

const QUEUES = {
  // A request relays what it stored by itself; its job is there for when it could not.
  'relay-session': { startAfter: 5, retryLimit: 30, retryDelay: 2, retryDelayMax: 300, parallel: 8 },
  erase: { startAfter: 0, retryLimit: 100, retryDelay: 5, retryDelayMax: 600, parallel: 4 },
  // Retries here are for a process that died or a database that was away; those of the receiver have jobs of their own. Of one webhook so
  // many are at work at a time in all processes, however many wait: a slow receiver leaves the rest to others. The connections of a
  // process (3) that look for jobs at the same moment may each take one more.
  'deliver-webhook': { startAfter: 0, retryLimit: 100, retryDelay: 5, retryDelayMax: 300, parallel: 12, perGroup: 3 },
  'sweep-orphans': { startAfter: 0, retryLimit: 0, retryDelay: 1, retryDelayMax: 1, parallel: 1 },
  'auto-maintenance': { startAfter: 0, retryLimit: 0, retryDelay: 1, retryDelayMax: 1, parallel: 1 },
  'expire-memories': { startAfter: 0, retryLimit: 0, retryDelay: 1, retryDelayMax: 1, parallel: 1 },
  'tend-backend': { startAfter: 0, retryLimit: 0, retryDelay: 1, retryDelayMax: 1, parallel: 1 },
  // When the thread may be quiet, if nothing more is said in it.
  'flush-thread': { startAfter: QUIET_SECONDS, retryLimit: 30, retryDelay: 5, retryDelayMax: 300, parallel: 2 },
  // Who finds the thread at work by another, or its claim left by a process that died, comes again.
  'observe-thread': { startAfter: 0, retryLimit: 30, retryDelay: 2, retryDelayMax: 120, parallel: 2 },
} as const satisfies Record<Job['name'], QueueSettings>

interface QueueSettings {
  readonly startAfter: number
  readonly retryLimit: number
  readonly retryDelay: number
  readonly retryDelayMax: number
  readonly parallel: number
  readonly perGroup?: number
}

/** Nobody waits for these: they are looked for less often than the others. */
const SCHEDULES: Partial<Record<Job['name'], string>> = {
  'sweep-orphans': '* * * * *',
  'auto-maintenance': '23 * * * *',
  'expire-memories': '* * * * *',
  'tend-backend': '* * * * *',
}

const POLL_SECONDS = 1

/** How soon the jobs of a process that died are given to another. */
const HEARTBEAT_SECONDS = 15
/** Jobs that take longer than the process has left are done again by another. */
const STOP_MS = 5_000
const SUPERVISION = { superviseIntervalSeconds: 15, monitorIntervalSeconds: 15 }

/** Of node-postgres, to which pg-boss passes them on: without them a connection that died unnoticed would be waited on for ever. */
const TIME_LIMITS = { connectionTimeoutMillis: 5_000, query_timeout: 30_000, keepAlive: true }

const jobNames = Object.keys(QUEUES) as Job['name'][]

/** pg-boss on the gateway's database: jobs are rows, enqueued in the caller's transaction, and outlive the process. */
export async function startQueue(
  connection: DatabaseConnection,
  options: { postgresUrl: string | undefined; pollSeconds: number | undefined; log: Log },
): Promise<RunningQueue> {
  const { log, pollSeconds = POLL_SECONDS } = options
  const endPolls: (() => void)[] = []
  const boss = options.postgresUrl
    ? new PgBoss({
        connectionString: options.postgresUrl,
        max: 3,
        application_name: 'memory-gateway jobs',
        ...TIME_LIMITS,
        ...SUPERVISION,
      })
    : new PgBoss({ db: fromPglite((connection as PgliteConnection).client), backend: 'pglite', ...SUPERVISION })
  boss.on('error', (error) => log.error({ err: error }, 'job queue failed, it will try again'))
  await boss.start()
  const existing = new Set((await boss.getQueues()).map(({ name }) => name))
  for (const name of jobNames) {
    const { retryLimit, retryDelay, retryDelayMax } = QUEUES[name]
    if (existing.has(name)) continue
    await boss.createQueue(name, {
      policy: 'short',
      retryLimit,
      retryDelay,
      retryBackoff: true,
      retryDelayMax,
      expireInSeconds: 3_600,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      deleteAfterSeconds: 3_600,
    })
  }
  // Has pg-boss read the definitions of the queues now: it must not do so inside a transaction (PGlite has one connection).
  for (const name of jobNames) await boss.findJobs(name, { key: 'none' })

  return {
    async enqueue(tx, job) {
      await boss.send(job.name, job, {
        db: queueDatabase(tx),
        singletonKey: keyOf(job),
        startAfter: QUEUES[job.name].startAfter,
      })
    },
    async enqueueAll(tx, jobs, delaySeconds) {
      for (const [name, ofName] of Map.groupBy(jobs, (job) => job.name)) {
        const rows = ofName.map((job) => ({
          data: job,
          singletonKey: keyOf(job),
          startAfter: delaySeconds ?? QUEUES[name].startAfter,
          ...('webhookId' in job && { group: { id: String(job.webhookId) } }),
        }))
        await boss.insert(name, rows, { db: queueDatabase(tx) })
      }
    },
    async relayTimes(sessionIds) {
      const queued = await Promise.all(
        sessionIds.map((key) =>
          boss.findJobs('relay-session', { key, queued: true }).then(([job]) => [key, job?.startAfter]),
        ),
      )
      return new Map(queued.flatMap(([key, at]) => (typeof key === 'string' && at instanceof Date ? [[key, at]] : [])))
    },
    async work(handlers) {
      for (const name of jobNames) {
        const { parallel, perGroup }: QueueSettings = QUEUES[name]
        const settings = { parallel, perGroup, pollSeconds: name in SCHEDULES ? pollSeconds * 10 : pollSeconds }
        endPolls.push(await startWorkers(boss, name, settings, resultsOf(name, handlers, log)))
      }
      for (const [name, cron] of Object.entries(SCHEDULES)) await boss.schedule(name, cron, { name })
    },
    async stop() {
      for (const end of endPolls) end()
      await boss.stop({ graceful: true, timeout: STOP_MS, close: options.postgresUrl !== undefined })
    },
  }
}

function keyOf(job: Job): string {
  if ('sessionId' in job) return job.sessionId
  if ('threadId' in job) return job.threadId
  if ('deliveryId' in job) return `${job.deliveryId}${job.turn ?? ''}`
  return 'erasureId' in job ? job.erasureId : job.name
}

/** What a worker does with its jobs: a failed one comes again, as its queue has it. */
const resultsOf =
  (name: Job['name'], handlers: JobHandlers, log: Log): PerJobWorkHandler<Job> =>
  async (jobs) => {
    const handle = handlers[name] as (job: Job, signal: AbortSignal) => Promise<boolean>
    return Promise.all(
      jobs.map(async ({ id, data, signal }) => {
        try {
          return (await handle(data, signal))
            ? { id, status: 'completed' as const }
            : { id, status: 'failed' as const, output: { reason: 'not done yet' } }
        } catch (error) {
          log.error({ err: error, job: name }, 'job failed')
          return {
            id,
            status: 'failed' as const,
            output: { reason: sqlState(error) ?? (error instanceof Error ? error.name : 'unknown') },
          }
        }
      }),
    )
  }
