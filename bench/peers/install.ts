import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const VERSIONS = { portkey: '1.15.2', litellm: '1.80.0', mem0: '3.3.1' } as const

/** The folder of a peer, installed there once. */
export async function install(name: keyof typeof VERSIONS): Promise<string> {
  const run = promisify(execFile)
  const { stdout } = await run('bash', [`${import.meta.dirname}/install.sh`, name, VERSIONS[name]], {
    maxBuffer: 1 << 26,
  })
  return stdout.trim()
}

let folder: string | undefined

/** A file that is gone when the run ends. */
export function scratch(name: string): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  return join(folder, name)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** `base` once anything answers at `url`. */
export async function answers(url: string, base: string): Promise<string | undefined> {
  try {
    await (await fetch(url, { signal: AbortSignal.timeout(1_000) })).arrayBuffer()
    return base
  } catch {
    return undefined
  }
}
