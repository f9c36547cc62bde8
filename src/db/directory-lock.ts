import { randomUUID } from 'node:crypto'
import {
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'

interface Holder {
  pid: number
  /** Start time of the process in clock ticks since boot: tells it from a later process with the same pid. */
  started?: string | undefined
  /** In which pid namespace of which machine or container the pid counts; undefined where there is no /proc. */
  namespace?: string | undefined
}

interface Lock {
  readonly content: string
  /** Undefined if the content says nothing: its writer, or the disk, stopped half-way. */
  readonly holder: Holder | undefined
  readonly refreshedAt: number
}

/** How often a lock that is held says so, for those who cannot see its process. */
const HEARTBEAT_MS = 5_000
const FRESH_MS = 20_000
const ATTEMPTS = 20
const UNREADABLE_WAIT_MS = 10
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']
/** Who judged the lock that was taken over at the same moment as we did has moved ours away, or put it back, by then. */
const TAKE_OVER_WAIT_MS = 50

/**
 * Takes `file` as an exclusive lock for this process; a lock whose process is gone is taken over. PGlite itself lets two processes
 * open one directory, and the rows of one of them are then lost. Returns the release; throws if a live process holds it.
 * A process of another container is alive while it refreshes the lock.
 */
export function lockDirectory(file: string): () => void {
  mkdirSync(dirname(file), { recursive: true })
  const self = { pid: process.pid, started: processStart(process.pid), namespace: pidNamespace(), token: randomUUID() }
  const content = JSON.stringify(self)
  const written = `${file}.${self.token}`
  try {
    writeFileSync(written, content, { flag: 'wx' })
    take(file, written, content)
  } finally {
    rmSync(written, { force: true })
  }
  const isOurs = () => readLock(file)?.content === content
  const heartbeat = setInterval(() => {
    if (isOurs()) refresh(file)
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return () => {
    clearInterval(heartbeat)
    if (isOurs()) rmSync(file, { force: true })
  }
}

function take(file: string, written: string, content: string): void {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (isLinked(written, file)) return
    const lock = readLock(file)
    if (!lock) continue
    if (lock.content === content) return
    if (!lock.holder && attempt < ATTEMPTS / 2) {
      sleep(UNREADABLE_WAIT_MS)
      continue
    }
    if (isAlive(lock)) throw inUse(file, lock.holder)
    if (!isTakenAway(file, `${written}.stale`, lock.content) || !isLinked(written, file)) continue
    sleep(TAKE_OVER_WAIT_MS)
    if (readLock(file)?.content === content) return
  }
  throw new Error(`STORAGE_DIR: could not take the lock ${file}.`)
}

/** Moves the lock away if it is what was judged; what it turns out not to be is put back. */
function isTakenAway(file: string, aside: string, judged: string): boolean {
  try {
    renameSync(file, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
  try {
    const moved = readLock(aside)
    if (moved?.content === judged && !isAlive(moved)) return true
    isLinked(aside, file)
    return false
  } finally {
    rmSync(aside, { force: true })
  }
}

/** Gives the file a second name at once, content and all; false if the name is taken. Some file systems have no links, and get a copy. */
function isLinked(file: string, name: string): boolean {
  try {
    try {
      linkSync(file, name)
    } catch (error) {
      if (!NO_LINKS.some((code) => hasCode(error, code))) throw error
      copyFileSync(file, name, constants.COPYFILE_EXCL)
    }
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function readLock(file: string): Lock | undefined {
  try {
    const content = readFileSync(file, 'utf8')
    return { content, holder: parseHolder(content), refreshedAt: statSync(file).mtimeMs }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content) as Holder | null
    return typeof holder?.pid === 'number' ? holder : undefined
  } catch {
    return undefined
  }
}

/** A pid means something only in its own namespace. */
function isAlive({ holder, refreshedAt }: Lock): boolean {
  if (holder && (holder.namespace === undefined || holder.namespace === pidNamespace())) return isProcessAlive(holder)
  return Date.now() - refreshedAt < FRESH_MS
}

function isProcessAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
  }
  const now = processStart(pid)
  return started === undefined || now === undefined || now === started
}

/** Field 22 of /proc/PID/stat; undefined where there is no /proc, or no such process. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function pidNamespace(): string | undefined {
  try {
    return `${readlinkSync('/proc/self/ns/pid')} ${hostname()}`
  } catch {
    return undefined
  }
}

function refresh(file: string): void {
  try {
    const now = new Date()
    utimesSync(file, now, now)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

function inUse(file: string, holder: Holder | undefined): Error {
  const who = holder ? `process ${holder.pid}` : 'another process'
  return new Error(
    `STORAGE_DIR: the database in ${dirname(file)} is in use by ${who}. Stop that gateway, or set STORAGE_DIR to another folder.`,
  )
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** Before the gateway serves anyone: nothing else has to run meanwhile. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
