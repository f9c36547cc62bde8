import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { envSchema } from '../../src/config/env.ts'
import { root, START_MS } from './client.ts'
import { DemoError, interrupted, withProgress } from './terminal.ts'

const STOP_MS = 30_000

export interface OwnGateway extends AsyncDisposable {
  readonly base: string
}

/** A gateway on a free port with nothing but this folder and these settings: those of this environment do not reach it. */
export async function startGateway(settings: Readonly<Record<string, string>> = {}): Promise<OwnGateway> {
  const storage = mkdtempSync(join(tmpdir(), 'memory-gateway-demo-'))
  const foreign = new Set(Object.keys(envSchema.shape))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.has(name)))
  const child = spawn(process.execPath, [join(root, 'src/main.ts')], {
    cwd: root,
    env: { ...env, ...settings, PORT: '0', STORAGE_DIR: storage, LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: interrupted.signal,
  })
  const dispose = async () => {
    await stop(child)
    rmSync(storage, { recursive: true, force: true })
  }
  try {
    const base = await withProgress('Starting a gateway', () => addressOf(child))
    await waitUntilReady(base)
    return { base, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function waitUntilReady(base: string): Promise<void> {
  const deadline = Date.now() + START_MS
  while (
    !(await fetch(`${base}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new DemoError('the gateway did not become ready')
    await pause(100)
  }
}

/** Its log line `ready` tells the address. */
function addressOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new DemoError('the gateway has no output')
  const said: string[] = []
  return new Promise((found, failed) => {
    createInterface({ input: stderr }).on('line', (line) => said.push(line))
    createInterface({ input: stdout }).on('line', (line) => {
      const base = /"base":"([^"]+)"/.exec(line)?.[1]
      if (base) found(base)
    })
    child.once('error', failed)
    child.once('close', () => failed(new DemoError(`the gateway ended at once\n${said.join('\n')}`)))
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(late)
}
