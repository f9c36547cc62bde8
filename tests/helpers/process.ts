import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** The environment of our processes, besides their settings. */
export const inherited = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  // Node keeps there what it compiled: half a second less at each start.
  NODE_COMPILE_CACHE: 'node_modules/.cache/memory-gateway/compiled',
}

/**
 * Arguments of Node for a process on these settings. On the embedded database V8 would soon optimise what it runs there: of one function alone, that is a second
 * of CPU time and 600 MB, which a process of a test does not live to get back.
 */
export const quickStart = (settings: Record<string, string>): string[] =>
  settings.DATABASE_URL === undefined ? ['--liftoff-only'] : []

export interface GatewayProcess {
  readonly url: string
  readonly pid: number
  /** What it has logged so far. */
  readonly log: string[]
  /** Resolves with the exit code or signal. */
  readonly exited: Promise<number | NodeJS.Signals>
  /** Sends the signal, and resolves as `exited` does. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

/** A gateway that may not be ready yet. */
export interface LaunchedGateway extends Omit<GatewayProcess, 'url'> {
  /** Rejects with the log if it ends before it is ready. */
  readonly ready: Promise<GatewayProcess>
}

/** Starts `src/main.ts` as a process of its own on a free port, and waits until it is ready. */
export async function spawnGateway(
  settings: Record<string, string>,
  nodeArguments: readonly string[] = [],
): Promise<GatewayProcess> {
  return launchGateway(settings, nodeArguments).ready
}

/** The same without the wait. */
export function launchGateway(
  settings: Record<string, string>,
  nodeArguments: readonly string[] = [],
): LaunchedGateway {
  const child = startProcess({ PORT: '0', LOG_FORMAT: 'json', ...settings }, nodeArguments)
  const log: string[] = []
  // Its last words have been read by then.
  const exited = (once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>).then(
    ([code, by]) => by ?? code ?? 0,
  )
  const launched = {
    pid: child.pid ?? 0,
    log,
    exited,
    async stop(signal: NodeJS.Signals = 'SIGTERM') {
      child.kill(signal)
      return exited
    },
  }
  const ready = new Promise<GatewayProcess>((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      log.push(line)
      const entry = line.startsWith('{') ? (JSON.parse(line) as { msg?: string; base?: string }) : {}
      if (entry.msg === 'ready' && entry.base) resolve({ ...launched, url: entry.base })
    })
    createInterface({ input: child.stderr ?? process.stdin }).on('line', (line) => log.push(line))
    void exited.then(() => reject(new Error(`The gateway did not start:\n${log.join('\n')}`)))
  })
  // Who stops it before it is ready need not wait for that.
  ready.catch(() => {})
  return { ...launched, ready }
}

/** Starts a gateway that is expected not to start; resolves with its exit code and what it said. */
export async function failToStart(settings: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = startProcess({ PORT: '0', LOG_FORMAT: 'json', ...settings })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(child, 'exit')) as [number | null]
  return { code, output }
}

function startProcess(settings: Record<string, string>, nodeArguments: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...quickStart(settings), ...nodeArguments, 'src/main.ts'], {
    env: { ...inherited, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
