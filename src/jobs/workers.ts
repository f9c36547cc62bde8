import type { PerJobWorkHandler, PgBoss } from 'pg-boss'

/** How many jobs of a queue are at work at a time in this process, and how soon one that was enqueued elsewhere is found. */
export interface WorkerSettings {
  readonly parallel: number
  readonly pollSeconds: number
  /** Of one group so many are at work at a time in all processes. */
  readonly perGroup: number | undefined
}

/** Workers look for jobs when they are woken: pg-boss' own polls come about as seldom as a timer can. */
const SELDOM_SECONDS = 1_000_000

/**
 * Starts the workers of a queue. Of those that have nothing to do only one looks for a job at each poll; who finds one wakes the next,
 * so that many jobs are taken as fast as if all had looked, and a queue without jobs costs one query a poll. Returns what ends the polls.
 */
export async function startWorkers<T>(
  boss: PgBoss,
  name: string,
  { parallel, pollSeconds, perGroup }: WorkerSettings,
  handle: PerJobWorkHandler<T>,
): Promise<() => void> {
  const workers: string[] = []
  const atWork = new Set<number>()
  let last = 0

  // In turn: one whose query hangs does not keep the others from looking.
  function wakeIdle(): void {
    for (let step = 1; step <= parallel; step++) {
      const worker = (last + step) % parallel
      if (atWork.has(worker)) continue
      last = worker
      boss.notifyWorker(workers[worker] ?? '')
      return
    }
  }

  const settings = {
    // One job a fetch: a slow one holds up no other.
    batchSize: 1,
    pollingIntervalSeconds: SELDOM_SECONDS,
    perJobResults: true as const,
    ...(perGroup !== undefined && { groupConcurrency: perGroup }),
  }
  for (let worker = 0; worker < parallel; worker++) {
    const work: PerJobWorkHandler<T> = async (jobs) => {
      atWork.add(worker)
      wakeIdle()
      try {
        return await handle(jobs)
      } finally {
        atWork.delete(worker)
        // Who had a job looks for the next one at once.
        boss.notifyWorker(workers[worker] ?? '')
      }
    }
    workers.push(await boss.work<T>(name, settings, work))
  }
  const timer = setInterval(wakeIdle, pollSeconds * 1_000)
  return () => clearInterval(timer)
}
