import { workerData } from 'node:worker_threads'
import { MOST_MEMORY_BYTES } from './limits.ts'

const CHECK_MS = 50

// A parser that never ends keeps the main thread from seeing that the parent is gone, and what parsers allocate outside of
// the JavaScript heap has no bound of its own; this thread sees both.
setInterval(() => {
  if (process.ppid !== workerData || process.memoryUsage.rss() > MOST_MEMORY_BYTES) process.kill(process.pid, 'SIGKILL')
}, CHECK_MS)
