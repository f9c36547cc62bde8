import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lockDirectory } from './directory-lock.ts'

/** What another starter does just before a call on the lock; each is done once. */
const meanwhile = vi.hoisted(() => ({ removal: () => {}, secondRead: () => {}, reads: 0, hasLinks: true }))

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const isLock = (path: unknown) => typeof path === 'string' && path.endsWith('gateway.lock')
  const interrupt = () => {
    const { removal } = meanwhile
    meanwhile.removal = () => {}
    removal()
  }
  return {
    ...fs,
    linkSync: (from: string, to: string) => {
      if (!meanwhile.hasLinks) throw Object.assign(new Error('no links'), { code: 'EPERM' })
      fs.linkSync(from, to)
    },
    renameSync: (from: string, to: string) => {
      if (isLock(from)) interrupt()
      fs.renameSync(from, to)
    },
    rmSync: (path: string, options?: object) => {
      if (isLock(path)) interrupt()
      fs.rmSync(path, options)
    },
    readFileSync: (path: string, options: BufferEncoding) => {
      if (isLock(path) && ++meanwhile.reads === 2) meanwhile.secondRead()
      return fs.readFileSync(path, options)
    },
  }
})

let file: string
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'lock-')), 'gateway.lock')
  Object.assign(meanwhile, { removal: () => {}, secondRead: () => {}, reads: 0, hasLinks: true })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(join(file, '..'), { recursive: true, force: true })
})

const age = (seconds: number) => utimesSync(file, new Date(), new Date(Date.now() - seconds * 1000))
const dead = () => JSON.stringify({ pid: spawnSync('true').pid, started: '1' })
const living = JSON.stringify({ pid: process.ppid })

describe('the lock of a directory', () => {
  it('is held once, and free after its release', () => {
    const release = lockDirectory(file)
    expect(() => lockDirectory(file)).toThrow(new RegExp(`STORAGE_DIR.*process ${process.pid}`))
    expect(readdirSync(join(file, '..'))).toEqual([basename(file)])
    release()
    expect(readdirSync(join(file, '..'))).toEqual([])
    lockDirectory(file)()
  })

  it('is taken over from a process that is gone, or whose pid is now another process', () => {
    writeFileSync(file, dead())
    lockDirectory(file)()
    writeFileSync(file, JSON.stringify({ pid: process.ppid, started: 'of an earlier boot' }))
    lockDirectory(file)()
    expect(existsSync(file)).toBe(false)
  })

  it('is never taken from a living process, however long it has not refreshed it', () => {
    writeFileSync(file, living)
    age(3600)
    expect(() => lockDirectory(file)).toThrow('in use')
  })

  it('stays with who took a stale one over first', () => {
    writeFileSync(file, dead())
    meanwhile.removal = () => writeFileSync(file, living)
    expect(() => lockDirectory(file)).toThrow(`process ${process.ppid}`)
    expect(readFileSync(file, 'utf8')).toBe(living)
    expect(readdirSync(join(file, '..'))).toEqual([basename(file)])
  })

  it('works on a file system without links', () => {
    meanwhile.hasLinks = false
    writeFileSync(file, dead())
    const release = lockDirectory(file)
    expect(() => lockDirectory(file)).toThrow(`process ${process.pid}`)
    release()
    expect(readdirSync(join(file, '..'))).toEqual([])
  })

  it('that is no longer ours survives our release', () => {
    const release = lockDirectory(file)
    writeFileSync(file, living)
    release()
    expect(readFileSync(file, 'utf8')).toBe(living)
  })
})

describe('a lock of another pid namespace', () => {
  const other = (pid: number) => JSON.stringify({ pid, started: '1', namespace: 'pid:[1] another-container' })

  it('is alive while it is fresh, whatever its pid is here', () => {
    writeFileSync(file, other(spawnSync('true').pid))
    expect(() => lockDirectory(file)).toThrow('in use by process')
    age(15)
    expect(() => lockDirectory(file)).toThrow('in use')
  })

  it('is stale when it is not refreshed any more, whatever its pid is here', () => {
    writeFileSync(file, other(process.ppid))
    age(21)
    lockDirectory(file)()
    expect(existsSync(file)).toBe(false)
  })

  it('is refreshed while it is held', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const release = lockDirectory(file)
    const before = Date.now() - 3_000
    age(3600)
    vi.advanceTimersByTime(5_000)
    expect(statSync(file).mtimeMs).toBeGreaterThan(before)
    release()
    expect(vi.getTimerCount()).toBe(0)
  })

  it.runIf(process.platform === 'linux')('is told from ours by what the lock says', () => {
    const release = lockDirectory(file)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      pid: process.pid,
      namespace: `${readlinkSync('/proc/self/ns/pid')} ${hostname()}`,
    })
    release()
  })
})

describe('a lock that cannot be read', () => {
  it('is read again', () => {
    writeFileSync(file, '')
    meanwhile.secondRead = () => writeFileSync(file, living)
    expect(() => lockDirectory(file)).toThrow(`process ${process.ppid}`)
  })

  it('is judged by its age', () => {
    writeFileSync(file, '{"pid"')
    expect(() => lockDirectory(file)).toThrow('in use by another process')
    age(21)
    lockDirectory(file)()
    expect(existsSync(file)).toBe(false)
  })
})
