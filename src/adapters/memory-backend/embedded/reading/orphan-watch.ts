import { workerData } from 'node:worker_threads'

const CHECK_MS = 2_000

// A parser that never ends keeps the main thread from seeing that the parent is gone; this thread sees it.
setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL')
}, CHECK_MS)
