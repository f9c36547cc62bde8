import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'gateway-demo-test-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** In an environment without any settings. */
const demo = (...options: string[]) =>
  run(process.execPath, ['scripts/demo.ts', ...options], { env: { PATH: process.env.PATH, TMPDIR: scratch } })

describe('npm run demo', { concurrent: true }, () => {
  it('plays the tour', async () => {
    const { stdout } = await demo()
    expect(stdout).toContain('The tour is over: every step as it should be')
  })

  it('plays a chat with memory against the built-in test model, and says that it is no real one', async () => {
    const { stdout } = await demo('--chat')
    expect(stdout).toContain('No model provider is configured: the built-in test-model answers. It is no real model,')
    expect(stdout).toMatch(/in the same thread.*\n.*What is my name\?"\n.*200 .*\n\s+Alex\n.*x-memory-status: used/)
    expect(stdout).toMatch(/in another thread of that user\n.*\n.*200 .*\n\s+Alex\n.*x-memory-ids: /)
    expect(stdout).toMatch(/as another user.*\n.*\n.*200 .*\n\s+I do not know\.\n.*x-memory-status: none/)
    expect(stdout).toMatch(/I see 1 picture \(image\/png, \d+ bytes\)\.\n.*\n\s+first byte after \d+ ms/)
    expect(stdout).toContain('I remember Image #1')
    expect(stdout).toContain('The tour is over: every step as it should be')
  })

  it('says which gateway it does not reach', async () => {
    const failed = await demo('--chat', '--url', 'http://127.0.0.1:9').catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer from http://127.0.0.1:9') })
  })
})

describe('what the demo leaves', () => {
  it('is nothing', () => {
    expect(readdirSync(scratch)).toEqual([])
  })
})
