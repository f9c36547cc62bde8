import { writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'

// Loaded into a gateway by `node --expose-gc --import`: at SIGUSR2 it collects all garbage, and prints what memory is in use then.

const { gc } = globalThis

async function tell(): Promise<void> {
  // Twice: what finalisers let go of in the first is collected in the second.
  gc?.()
  await nextTurn()
  gc?.()
  writeSync(1, `${JSON.stringify({ msg: 'memory', ...process.memoryUsage() })}\n`)
}

process.on('SIGUSR2', () => void tell())
