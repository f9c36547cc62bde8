import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { createLocalObjectStore } from '../../src/adapters/object-store/local.ts'
import { ObjectNotFoundError, ObjectStoreError } from '../../src/ports/object-store.ts'
import { describeObjectStore, inMemory, onDisk, rejectionOf } from './object-store.ts'

const scratch = mkdtempSync(join(tmpdir(), 'local-store-'))
afterAll(() => rmSync(scratch, { recursive: true }))
const contentType = 'text/plain'

describeObjectStore('local files', () => createLocalObjectStore({ root: join(scratch, 'contract') }))

function openNew() {
  const root = join(scratch, randomBytes(6).toString('hex'))
  return { root, store: createLocalObjectStore({ root }) }
}

describe('local files', () => {
  test('the URI is the address of the file', async () => {
    const { root, store } = openNew()
    await store.put('a/b', inMemory(Buffer.from('x')), { contentType })
    expect(fileURLToPath(store.uri('a/b'))).toBe(join(root, 'a/b'))
    expect(statSync(join(root, 'a/b')).mode & 0o077).toBe(0)
  })

  test('a spooled file on the same file system is not copied, and nothing is left in .incoming', async () => {
    const { root, store } = openNew()
    const file = onDisk(scratch, Buffer.from('moved'))
    const { ino } = statSync(file.path)
    await store.put('a/b', file, { contentType })
    expect(statSync(join(root, 'a/b')).ino).toBe(ino)
    expect(readdirSync(join(root, '.incoming'))).toEqual([])
  })

  const shared = '/dev/shm'
  const isOther = existsSync(shared) && statSync(shared).dev !== statSync(scratch).dev
  test.skipIf(!isOther)('a spooled file on another file system (/dev/shm) is copied', async () => {
    const { root, store } = openNew()
    const folder = mkdtempSync(join(shared, 'spool-'))
    const bytes = randomBytes(700_000)
    const file = onDisk(folder, bytes)
    await store.put('a/b', file, { contentType })
    expect((await buffer(await store.get('a/b'))).equals(bytes)).toBe(true)
    expect(readdirSync(join(root, '.incoming'))).toEqual([])
    const reason = new Error('gone')
    const controller = new AbortController()
    const put = store.put('a/c', file, { contentType, signal: controller.signal })
    controller.abort(reason)
    expect(await rejectionOf(put)).toBe(reason)
    expect(readdirSync(join(root, '.incoming'))).toEqual([])
    rmSync(folder, { recursive: true })
  })

  test('leftovers of a dead process are removed when they are old, not those of a living one', () => {
    const { root } = openNew()
    const old = join(root, '.incoming', 'old')
    const young = join(root, '.incoming', 'young')
    for (const path of [old, young]) writeFileSync(path, 'x')
    const twoHoursAgo = Date.now() / 1000 - 7200
    utimesSync(old, twoHoursAgo, twoHoursAgo)
    createLocalObjectStore({ root })
    expect([existsSync(old), existsSync(young)]).toEqual([false, true])
  })

  test('no symbolic link leads out of the root', async () => {
    const { root, store } = openNew()
    const outside = join(scratch, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret'), 'secret')
    symlinkSync(outside, join(root, 'dir'))
    mkdirSync(join(root, 'real'))
    symlinkSync(join(outside, 'secret'), join(root, 'real', 'link'))
    for (const key of ['dir/secret', 'real/link']) {
      expect(await rejectionOf(store.get(key))).toBeInstanceOf(ObjectStoreError)
    }
    expect(await rejectionOf(store.head('dir/secret'))).toBeInstanceOf(ObjectStoreError)
    expect(await store.head('real/link')).toBeUndefined()
    expect(await rejectionOf(store.delete('dir/secret'))).toBeInstanceOf(ObjectStoreError)
    expect(await rejectionOf(store.put('dir/new', inMemory(Buffer.from('x')), { contentType }))).toBeInstanceOf(
      ObjectStoreError,
    )
    await store.put('real/link', inMemory(Buffer.from('mine')), { contentType })
    expect(readdirSync(outside)).toEqual(['secret'])
    expect(statSync(join(outside, 'secret')).size).toBe(6)
  })

  test('a root that is itself a symbolic link is the choice of whoever set it', async () => {
    const target = mkdtempSync(join(scratch, 'target-'))
    const root = join(scratch, 'link')
    symlinkSync(target, root)
    const store = createLocalObjectStore({ root })
    await store.selfTest()
    await store.put('a/b', inMemory(Buffer.from('x')), { contentType })
    expect(existsSync(join(target, 'a/b'))).toBe(true)
  })

  test('a file that is cut while it is read fails the reader', async () => {
    const { root, store } = openNew()
    await store.put('a/b', inMemory(Buffer.alloc(1_000_000)), { contentType })
    const stream = await store.get('a/b')
    truncateSync(join(root, 'a/b'), 300_000)
    expect(await rejectionOf(buffer(stream))).toBeInstanceOf(ObjectStoreError)
  })

  test('a folder in the place of an object is no object', async () => {
    const { store } = openNew()
    await store.put('a/b', inMemory(Buffer.from('x')), { contentType })
    expect(await store.head('a')).toBeUndefined()
    expect(await rejectionOf(store.get('a'))).toBeInstanceOf(ObjectNotFoundError)
    expect(await store.head('a/b/c')).toBeUndefined()
    expect(await rejectionOf(store.put('a', inMemory(Buffer.from('x')), { contentType }))).toBeInstanceOf(
      ObjectStoreError,
    )
  })

  test('a folder that went away (a volume not mounted) is not an empty store', async () => {
    const { root, store } = openNew()
    await store.put('a/b', inMemory(Buffer.from('x')), { contentType })
    renameSync(root, `${root}-away`)
    const put = () => store.put('a/c', inMemory(Buffer.from('x')), { contentType })
    const failures = [store.get('a/b'), store.head('a/b'), store.delete('a/b'), store.ping(), put()]
    for (const failure of await Promise.all(failures.map(rejectionOf))) {
      expect(failure).toBeInstanceOf(ObjectStoreError)
      expect(String(failure)).toContain('STORAGE_DIR')
    }
    expect(await rejectionOf(put()), 'not even a second try fills the empty mount point').toBeInstanceOf(
      ObjectStoreError,
    )
    renameSync(`${root}-away`, root)
    expect(await store.head('a/b')).toEqual({ size: 1 })
    await put()
    expect(await store.head('a/c')).toEqual({ size: 1 })
  })

  test('a folder that cannot be made, or is a file, is named with its setting', async () => {
    const file = join(scratch, 'file')
    writeFileSync(file, '')
    expect(() => createLocalObjectStore({ root: file })).toThrow(/STORAGE_DIR/)
    const { root, store } = openNew()
    rmSync(root, { recursive: true })
    writeFileSync(root, '')
    const failure = await rejectionOf(store.selfTest())
    expect(failure).toBeInstanceOf(ObjectStoreError)
    expect(String(failure)).toContain('STORAGE_DIR')
  })
})
