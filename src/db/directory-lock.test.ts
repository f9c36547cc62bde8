import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory } from './directory-lock.ts'

let file: string
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'lock-')), 'gateway.lock')
})
afterEach(() => rmSync(join(file, '..'), { recursive: true, force: true }))

describe('the lock of a directory', () => {
  it('is held once, and free after its release', () => {
    const release = lockDirectory(file)
    expect(() => lockDirectory(file)).toThrow(new RegExp(`STORAGE_DIR.*process ${process.pid}`))
    release()
    expect(existsSync(file)).toBe(false)
    lockDirectory(file)()
  })

  it('is taken over from a process that is gone, or whose pid is now another process', () => {
    const { pid } = spawnSync('true')
    writeFileSync(file, JSON.stringify({ pid, started: '1' }))
    lockDirectory(file)()
    writeFileSync(file, JSON.stringify({ pid: process.ppid, started: 'of an earlier boot' }))
    lockDirectory(file)()
  })

  it('is never taken from a living process', () => {
    writeFileSync(file, JSON.stringify({ pid: process.ppid }))
    expect(() => lockDirectory(file)).toThrow('in use')
  })
})
