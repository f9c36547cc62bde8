import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const INSTALLED = '/usr/lib/postgresql'

/** Where the programs of the newest PostgreSQL of this machine are; undefined: there is none. */
export function postgresPrograms(): string | undefined {
  const [newest] = existsSync(INSTALLED) ? readdirSync(INSTALLED).toSorted((a, b) => Number(b) - Number(a)) : []
  return newest === undefined ? undefined : join(INSTALLED, newest, 'bin')
}

/** A PostgreSQL server of a test's own. */
export interface OwnPostgres {
  readonly url: string
  /** All its processes end at once, and what they had not written is lost; then it is started again. Resolves when it answers. */
  fall(): Promise<void>
  close(): Promise<void>
}

/** `settings`: as on its command line, without the `-c`. */
export async function startOwnPostgres(programs: string, settings: readonly string[]): Promise<OwnPostgres> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-postgres-'))
  const port = await freePort()
  const isRoot = process.getuid?.() === 0
  if (isRoot) await promisify(execFile)('chown', ['postgres', dir])
  // It refuses to run as root.
  const run = async (program: string, ...values: string[]) => {
    const command = [join(programs, program), ...values]
    const [file = '', ...rest] = isRoot ? ['runuser', '-u', 'postgres', '--', ...command] : command
    // A pipe would be held open by the server that it starts.
    const [code] = (await once(spawn(file, rest, { stdio: 'ignore', cwd: dir }), 'exit')) as [number | null]
    if (code !== 0) throw new Error(`${program} ended with ${code}.`)
  }
  const data = join(dir, 'data')
  await run('initdb', '-D', data, '-A', 'trust', '-U', 'postgres')
  const given = [`listen_addresses=127.0.0.1`, `unix_socket_directories=${dir}`, ...settings]
  const options = [`-p ${port}`, ...given.map((setting) => `-c ${setting}`)].join(' ')
  const start = () => run('pg_ctl', '-D', data, '-w', '-l', join(dir, 'log'), '-o', options, 'start')
  const stop = () => run('pg_ctl', '-D', data, '-m', 'immediate', 'stop')
  await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async fall() {
      await stop()
      await start()
    },
    async close() {
      if (existsSync(join(data, 'postmaster.pid'))) await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  const { promise, resolve } = Promise.withResolvers<number>()
  server.once('listening', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
  })
  return promise
}
