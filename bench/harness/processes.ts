import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A server in processes of its own. */
export interface Server {
  readonly base: string
  /** Of all of them, if there are several. */
  readonly bases?: readonly string[]
  readonly pids: readonly number[]
  /** What it has written so far, if that is kept. */
  said?(): string
  stop(): Promise<void>
}

const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Must not outlive this process, however it ends. */
export function watched(child: ChildProcess): ChildProcess {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const TICK_MS = 10
const MB = 1e6
const POLL_MS = 5
/** Long: on a busy machine an embedded database takes minutes to make. */
const START_MS = 300_000

/** A program of `references/` or `peers/`: it sends the address where it listens. */
export async function startProgram(file: string, args: readonly string[] = [], nodeFlags: readonly string[] = []) {
  const child = watched(fork(`${import.meta.dirname}/../${file}`, args, { execArgv: [...nodeFlags] }))
  const [{ base }] = (await Promise.race([once(child, 'message'), failed(child, file)])) as [{ base: string }]
  return serverOf(child, base)
}

/** Another program: it is ready when `isReady` says so of its output so far, or of its address. */
export async function startCommand(options: {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** File for its output. */
  readonly log: string
  /** The address where it listens, once it is ready. */
  readonly ready: (output: string) => string | undefined | Promise<string | undefined>
}): Promise<Server> {
  const [program = '', ...args] = options.command
  const file = openSync(options.log, 'w')
  const env = { ...inherited, ...options.env }
  const child = watched(spawn(program, args, { env, stdio: ['ignore', file, file] }))
  closeSync(file)
  const until = performance.now() + START_MS
  for (;;) {
    const output = readFileSync(options.log, 'utf8')
    const base = await options.ready(output)
    if (base !== undefined) return { ...serverOf(child, base), said: () => readFileSync(options.log, 'utf8') }
    if (child.exitCode !== null || performance.now() > until) {
      if (child.exitCode === null) child.kill('SIGKILL')
      throw new Error(`${program} did not start:\n${output.slice(-2_000)}`)
    }
    await delay(POLL_MS)
  }
}

const { PATH = '', HOME = '' } = process.env
/** The environment of every process that is started, but for its settings: whatever is set here is not set there. */
const inherited = { PATH, HOME }

function serverOf(child: ChildProcess, base: string): Server {
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    await gone
    clearTimeout(timer)
  }
  return { base, pids: [child.pid ?? 0], stop }
}

async function failed(child: ChildProcess, name: string): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null]
  throw new Error(`${name} ended (${code}): see above.`)
}

/** User and system time of processes, with all their threads. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0)
}

function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** The most memory that they have had in main memory since the last `resetPeak`. */
export function peakMb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusMb(pid, 'VmHWM'), 0)
}

export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function statusMb(pid: number, field: string): number {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return (Number(found?.[1] ?? 0) * 1_024) / MB
}
