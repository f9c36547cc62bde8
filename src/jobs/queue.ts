import { fromPglite, PgBoss } from 'pg-boss'
import type { DatabaseConnection } from '../db/database.ts'
import type { PgliteConnection } from '../db/pglite.ts'
import { queueDatabase } from '../db/queue-database.ts'
import { sqlState } from '../db/sql-state.ts'
import type { Job, JobQueue } from '../domain/context.ts'
import type { Log } from '../observability/logger.ts'

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
  'sweep-orphans': { startAfter: 0, retryLimit: 0, retryDelay: 1, retryDelayMax: 1, parallel: 1 },
} as const satisfies Record<Job['name'], object>

/** How soon the jobs of a process that died are given to another. */
const HEARTBEAT_SECONDS = 15
const SUPERVISION = { superviseIntervalSeconds: 15, monitorIntervalSeconds: 15 }

const jobNames = Object.keys(QUEUES) as Job['name'][]

/** pg-boss on the gateway's database: jobs are rows, enqueued in the caller's transaction, and outlive the process. */
export async function startQueue(
  connection: DatabaseConnection,
  options: { postgresUrl: string | undefined; pollSeconds: number | undefined; log: Log },
): Promise<RunningQueue> {
  const { log } = options
  const boss = options.postgresUrl
    ? new PgBoss({
        connectionString: options.postgresUrl,
        max: 3,
        application_name: 'memory-gateway jobs',
        ...SUPERVISION,
      })
    : new PgBoss({ db: fromPglite((connection as PgliteConnection).client), backend: 'pglite', ...SUPERVISION })
  boss.on('error', (error) => log.error({ err: error }, 'job queue failed, it will try again'))
  await boss.start()
  for (const name of jobNames) {
    const { retryLimit, retryDelay, retryDelayMax } = QUEUES[name]
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
    // Has pg-boss read the queue's definition now: it must not do so inside a transaction (PGlite has one connection).
    await boss.findJobs(name, { key: 'none' })
  }

  return {
    async enqueue(tx, job) {
      await boss.send(job.name, job, {
        db: queueDatabase(tx),
        singletonKey: keyOf(job),
        startAfter: QUEUES[job.name].startAfter,
      })
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
      for (const name of jobNames) await workOn(boss, name, handlers, options)
      await boss.schedule('sweep-orphans', '* * * * *', { name: 'sweep-orphans' })
    },
    async stop() {
      await boss.stop({ graceful: true, timeout: 20_000, close: options.postgresUrl !== undefined })
    },
  }
}

function keyOf(job: Job): string {
  if ('sessionId' in job) return job.sessionId
  return 'erasureId' in job ? job.erasureId : job.name
}

async function workOn(
  boss: PgBoss,
  name: Job['name'],
  handlers: JobHandlers,
  { log, pollSeconds }: { log: Log; pollSeconds: number | undefined },
): Promise<void> {
  const handle = handlers[name] as (job: Job, signal: AbortSignal) => Promise<boolean>
  const settings = {
    // One job a fetch: a slow one holds up no other.
    batchSize: 1,
    burstWhenBatchFull: true,
    localConcurrency: QUEUES[name].parallel,
    pollingIntervalSeconds: pollSeconds ?? 2,
    perJobResults: true as const,
  }
  await boss.work<Job>(name, settings, (jobs) =>
    Promise.all(
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
    ),
  )
}
