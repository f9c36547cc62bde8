import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createUser, type TestUser, until } from '../helpers/client.ts'
import { templatePath } from '../helpers/database-template.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { addMultipart, addText, download, isAcknowledged, type Upload } from './dependency-rig.ts'

const HEALED_MS = 5_000
const MIB = 1024 * 1024

const mount = (...args: string[]) => spawnSync('mount', args).status === 0
const canMount = (() => {
  const dir = mkdtempSync(join(tmpdir(), 'mount-'))
  const done = process.platform === 'linux' && mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir)
  if (done) spawnSync('umount', [dir])
  rmSync(dir, { recursive: true })
  return done
})()

/** A gateway with the embedded defaults, one folder of whose storage is a disk of its own. */
async function startOnDisk(folder: 'spool' | 'objects' | 'database', mib: number) {
  const storage = mkdtempSync(join(tmpdir(), 'gateway-disk-'))
  const disk = join(storage, folder)
  mkdirSync(disk)
  if (!mount('-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', disk)) throw new Error('The disk could not be mounted.')
  // Making a database anew takes far longer than unpacking one.
  const pgdata = join(storage, 'database', 'pgdata')
  mkdirSync(pgdata, { recursive: true })
  spawnSync('tar', ['-xf', templatePath(), '-C', pgdata])
  let gateway: GatewayProcess | undefined
  undo = async () => {
    await gateway?.stop('SIGKILL')
    spawnSync('umount', ['-l', disk])
    rmSync(storage, { recursive: true, force: true })
  }
  gateway = await spawnGateway({ STORAGE_DIR: storage, RELAY_WAIT_MS: '500' })
  const filler = join(disk, 'filler')
  return {
    disk,
    user: await createUser(gateway.url),
    /** Leaves so many bytes free. */
    fill(left: number) {
      const { bavail, bsize } = statfsSync(disk)
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(bavail * bsize - left, 0)))
      } catch {
        // Then it is full.
      }
    },
    free: () => rmSync(filler),
    files: () =>
      readdirSync(disk, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== 'filler')
        .map((entry) => entry.name)
        .toSorted(),
  }
}

let undo = async () => {}
afterEach(() => undo())

function expectNoRoom({ outcome }: Upload): void {
  expect([503, 507]).toContain(outcome.status)
  expect(outcome.body.error.code).toBe('unavailable')
  expect(outcome.retryAfter).toMatch(/^\d+$/)
}

const attachmentOf = (upload: Upload) => String(upload.outcome.body.attachments[0].attachment_id)

/** Reading and searching need no room. */
async function expectReads(user: TestUser, stored: Upload): Promise<void> {
  expect((await download(user, attachmentOf(stored))).sha256).toBe(stored.sha256)
  expect((await user.post('/memories/search', { query: 'note', scope: ['all_user_memory'] })).status).toBe(200)
  expect((await user.get('/sessions')).status).toBe(200)
}

async function heals(user: TestUser, size: number): Promise<number> {
  const start = performance.now()
  await until(
    () => addMultipart(user, size),
    ({ outcome }) => isAcknowledged(outcome),
    HEALED_MS,
  )
  return Math.round(performance.now() - start)
}

describe.skipIf(!canMount)('while the disk is full', () => {
  it('of the spool, larger uploads are refused for now, and small ones and reads go on', async () => {
    const { user, files, fill, free } = await startOnDisk('spool', 8)
    const stored = await addMultipart(user, MIB)
    expect(stored.outcome.status).toSatisfy((status: number) => status < 300)
    fill(MIB)
    for (const _ of [1, 2]) expectNoRoom(await addMultipart(user, 3 * MIB))
    expect(files()).toEqual([])
    expect(isAcknowledged((await addMultipart(user, 10_000)).outcome)).toBe(true)
    await expectReads(user, stored)
    free()
    console.log(`spool full: healed in ${await heals(user, 3 * MIB)} ms`)
    expect(files()).toEqual([])
  })

  it('of the object store, files are refused for now, messages and reads go on', async () => {
    const { user, files, fill, free } = await startOnDisk('objects', 8)
    const stored = await addMultipart(user, MIB)
    fill(100_000)
    const before = files()
    for (const size of [200_000, 3 * MIB]) {
      const refused = await addMultipart(user, size)
      expectNoRoom(refused)
      expect((await user.get(`/sessions/${encodeURIComponent(refused.session)}/messages`)).status).toBe(404)
    }
    expect(files()).toEqual(before)
    expect(isAcknowledged((await addText(user)).outcome)).toBe(true)
    await expectReads(user, stored)
    free()
    console.log(`object store full: healed in ${await heals(user, 3 * MIB)} ms`)
  })

  it('of the embedded database, uploads are refused for now, and what was acknowledged is kept', async () => {
    const { user, fill, free } = await startOnDisk('database', 256)
    const kept: Upload[] = [await addMultipart(user)]
    fill(0)
    // What it had allocated before takes some more rows.
    const refused = await until(
      async () => {
        const upload = await addMultipart(user)
        if (isAcknowledged(upload.outcome)) kept.push(upload)
        return upload
      },
      ({ outcome }) => !isAcknowledged(outcome),
      60_000,
    )
    expectNoRoom(refused)
    free()
    console.log(`database full: ${kept.length} uploads acknowledged before; healed in ${await heals(user, 20_000)} ms`)
    for (const upload of kept) expect((await download(user, attachmentOf(upload))).sha256).toBe(upload.sha256)
  })
})
