import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LlmStub } from '../services/llm-stub.ts'

const run = promisify(execFile)
const script = 'tests/services/everos.sh'

export interface RealEveros {
  readonly url: string
  stop(): Promise<void>
}

/** An EverOS process of the test's own, on a stub of its models that the test holds; `settings` are its environment. */
export async function startRealEveros(stub: LlmStub, settings: Record<string, string> = {}): Promise<RealEveros> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-everos-'))
  const env = { ...process.env, EVEROS_LLM_URL: stub.url, EVEROS_PORT: String(await freePort()), ...settings }
  const stop = async () => {
    await run('bash', [script, 'stop', dir])
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const { stdout } = await run('bash', [script, 'start', dir], { env })
    return { url: stdout.trim().replace('TEST_EVEROS_URL=', ''), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
