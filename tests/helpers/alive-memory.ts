import { setTimeout as sleep } from 'node:timers/promises'
import { until } from './client.ts'
import type { GatewayProcess } from './process.ts'

/** Arguments of Node for a gateway whose memory is looked at. */
export const MEMORY_ARGUMENTS = ['--expose-gc', '--import', './tests/helpers/tell-memory.ts'] as const

export interface Memory {
  /** JavaScript's objects and the buffers that they hold, in MiB, after a full collection: nothing that could be let go. */
  readonly aliveMiB: number
  /** What the process holds of the machine, in MiB: also what the collector keeps for later. */
  readonly residentMiB: number
}

const LOOKS = 5

/** Has the gateway, started with MEMORY_ARGUMENTS, collect its garbage a few times in two seconds: the least that was in use then. */
export async function restingMemory(gateway: GatewayProcess): Promise<Memory> {
  let least: Memory = { aliveMiB: Infinity, residentMiB: Infinity }
  for (let look = 0; look < LOOKS; look++) {
    // Jobs and log lines of the last requests may be under way.
    await sleep(400)
    const { heapUsed, external, rss } = await ask(gateway)
    least = {
      aliveMiB: Math.min(least.aliveMiB, (heapUsed + external) / 2 ** 20),
      residentMiB: Math.min(least.residentMiB, rss / 2 ** 20),
    }
  }
  return least
}

async function ask({ pid, log }: GatewayProcess): Promise<NodeJS.MemoryUsage> {
  const from = log.length
  const told = () => log.slice(from).find((line) => line.startsWith('{"msg":"memory"'))
  process.kill(pid, 'SIGUSR2')
  const line = await until(
    () => Promise.resolve(told()),
    (found) => found !== undefined,
  )
  return JSON.parse(line ?? '') as NodeJS.MemoryUsage
}
