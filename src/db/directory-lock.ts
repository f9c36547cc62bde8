import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

interface Holder {
  pid: number
  /** Start time of the process in clock ticks since boot: tells it from a later process with the same pid. */
  started: string | undefined
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

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid && holder.started === processStart(process.pid)) return true
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const started = processStart(holder.pid)
  return holder.started === undefined || started === undefined || started === holder.started
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/**
 * Takes `file` as an exclusive lock for this process; a lock whose process is gone is taken over. PGlite itself lets two processes
 * open one directory, and the rows of one of them are then lost. Returns the release; throws if a live process holds it.
 */
export function lockDirectory(file: string): () => void {
  mkdirSync(dirname(file), { recursive: true })
  const self: Holder = { pid: process.pid, started: processStart(process.pid) }
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, JSON.stringify(self), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(file)
    if (holder && isAlive(holder)) {
      throw new Error(
        `STORAGE_DIR: the database in ${dirname(file)} is in use by process ${holder.pid}. Stop that gateway, or set STORAGE_DIR to another folder.`,
      )
    }
    rmSync(file, { force: true })
  }
  throw new Error(`STORAGE_DIR: could not take the lock ${file}.`)
}
