import { performance } from 'node:perf_hooks'

const LOOK_MS = 100
/** Share of its time that the process is at work. */
const BUSY = 0.8

/** Whether this process has more to do than it can, as of the last tenth of a second. */
export function watchLoad(): { isBusy: () => boolean; end: () => void } {
  let before = performance.eventLoopUtilization()
  let share = 0
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    share = performance.eventLoopUtilization(now, before).utilization
    before = now
  }, LOOK_MS)
  timer.unref()
  return { isBusy: () => share >= BUSY, end: () => clearInterval(timer) }
}
