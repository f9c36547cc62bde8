import { AsyncLocalStorage } from 'node:async_hooks'

export const timedParts = ['database', 'store', 'backend', 'model'] as const
export type TimedPart = (typeof timedParts)[number]

/** Milliseconds that one request spent waiting for each part; overlapping waits add up. */
export type Timings = Record<TimedPart, number>

const current = new AsyncLocalStorage<Timings>()

export function createTimings(): Timings {
  return { database: 0, store: 0, backend: 0, model: 0 }
}

/** Runs a request's work so that `timed` calls inside it count for it. */
export function withTimings<T>(timings: Timings, work: () => T): T {
  return current.run(timings, work)
}

/** Runs work that outlives the request that happened to start it. */
export function withoutTimings<T>(work: () => T): T {
  return current.exit(work)
}

/** Adds the time until the promise settles to the running request's account of `part`. */
export async function timed<T>(part: TimedPart, work: () => PromiseLike<T>): Promise<T> {
  const timings = current.getStore()
  if (!timings) return work()
  const start = performance.now()
  try {
    return await work()
  } finally {
    timings[part] += performance.now() - start
  }
}

/** The same object, with the time of the named promise-returning methods counted for `part`. */
export function withTimedMethods<T extends object>(target: T, part: TimedPart, methods: ReadonlySet<PropertyKey>): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name)
      if (typeof value !== 'function') return value
      if (!methods.has(name)) return value.bind(object)
      return (...args: unknown[]) => timed(part, () => Reflect.apply(value, object, args))
    },
  })
}
