import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ObjectNotFoundError,
  type ObjectStore,
  ObjectStoreError,
  type SpooledFile,
} from '../../src/ports/object-store.ts'

const contentType = 'application/octet-stream'
const large = 5 * 1024 * 1024 + 1

export function inMemory(bytes: Buffer): SpooledFile {
  return { bytes, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

export function onDisk(folder: string, bytes: Buffer): SpooledFile & { path: string } {
  const path = join(folder, randomBytes(8).toString('hex'))
  writeFileSync(path, bytes, { mode: 0o600 })
  return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** What `promise` rejects with; fails if it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it should have rejected'),
    (error: unknown) => error,
  )
}

/** Every sentence of the port's contract. `open` is called once; `close` is left to the suite. */
export function describeObjectStore(name: string, open: () => Promise<ObjectStore> | ObjectStore): void {
  describe(`object store contract: ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'object-store-'))
    const used = new Set<string>()
    let store: ObjectStore

    function newKey(): string {
      const key = `contract/${randomBytes(12).toString('hex')}/a_b-c`
      used.add(key)
      return key
    }

    async function read(key: string, range?: { start: number; end: number }): Promise<Buffer> {
      return buffer(await store.get(key, range && { range }))
    }

    beforeAll(async () => {
      store = await open()
    })

    afterAll(async () => {
      await Promise.all([...used].map((key) => store.delete(key)))
      await store.close()
      await store.close()
      rmSync(folder, { recursive: true })
    })

    describe.each([
      ['memory', inMemory],
      ['a spooled file', (bytes: Buffer) => onDisk(folder, bytes)],
    ] as const)('put from %s', (_, spool) => {
      test.each([0, 1, 256 * 1024, large])(
        '%i bytes come back as they were, and head tells their number',
        async (size) => {
          const key = newKey()
          const bytes = randomBytes(size)
          await store.put(key, spool(bytes), { contentType })
          expect(await store.head(key)).toEqual({ size })
          expect((await read(key)).equals(bytes)).toBe(true)
        },
      )

      test('again overwrites', async () => {
        const key = newKey()
        await store.put(key, spool(randomBytes(1000)), { contentType })
        await store.put(key, spool(Buffer.from('second')), { contentType })
        expect(await store.head(key)).toEqual({ size: 6 })
        expect((await read(key)).toString()).toBe('second')
      })

      test('rejects with the reason of a signal aborted before, and stores nothing', async () => {
        const key = newKey()
        const reason = new Error('gone')
        const put = store.put(key, spool(randomBytes(10)), { contentType, signal: AbortSignal.abort(reason) })
        expect(await rejectionOf(put)).toBe(reason)
        expect(await store.head(key)).toBeUndefined()
      })

      test.each([1, 2, 5, 20])(
        'aborted after %i turns of the loop: the reason, and all of the object or nothing',
        async (turns) => {
          const key = newKey()
          const bytes = randomBytes(large)
          const reason = new Error('gone')
          const controller = new AbortController()
          const put = store.put(key, spool(bytes), { contentType, signal: controller.signal })
          const ended = put.then(
            () => 'stored',
            (error: unknown) => error,
          )
          for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
          controller.abort(reason)
          const outcome = await ended
          expect([reason, 'stored']).toContain(outcome)
          const head = await store.head(key)
          if (outcome === 'stored') expect(head).toEqual({ size: large })
          if (head) expect((await read(key)).equals(bytes)).toBe(true)
        },
      )
    })

    test('put leaves a spooled file as it was: it can be put again, and its object outlives it', async () => {
      const bytes = randomBytes(300_000)
      const file = onDisk(folder, bytes)
      const keys = [newKey(), newKey()]
      for (const key of keys) await store.put(key, file, { contentType })
      expect(readFileSync(file.path).equals(bytes)).toBe(true)
      rmSync(file.path)
      for (const key of keys) expect((await read(key)).equals(bytes)).toBe(true)
    })

    test('put of a spooled file that is gone, or has another size, is an ObjectStoreError', async () => {
      const key = newKey()
      const sha256 = 'a'.repeat(64)
      const gone = store.put(key, { path: join(folder, 'gone'), size: 3, sha256 }, { contentType })
      expect(await rejectionOf(gone)).toBeInstanceOf(ObjectStoreError)
      const { path } = onDisk(folder, Buffer.from('four'))
      const longer = store.put(key, { path, size: 3, sha256 }, { contentType })
      expect(await rejectionOf(longer)).toBeInstanceOf(ObjectStoreError)
      expect(await store.head(key)).toBeUndefined()
    })

    test('get of a range: inclusive positions', async () => {
      const key = newKey()
      await store.put(key, inMemory(Buffer.from('0123456789')), { contentType })
      expect((await read(key, { start: 0, end: 0 })).toString()).toBe('0')
      expect((await read(key, { start: 3, end: 5 })).toString()).toBe('345')
      expect((await read(key, { start: 9, end: 9 })).toString()).toBe('9')
      expect((await read(key, { start: 0, end: 9 })).toString()).toBe('0123456789')
    })

    test.each([
      [5, 10],
      [10, 10],
      [5, 4],
      [-1, 4],
    ])('get of the range %i-%i, not inside 10 bytes, is an ObjectStoreError', async (start, end) => {
      const key = newKey()
      await store.put(key, inMemory(Buffer.from('0123456789')), { contentType })
      expect(await rejectionOf(store.get(key, { range: { start, end } }))).toBeInstanceOf(ObjectStoreError)
    })

    test('a missing key: get rejects, head is undefined, delete succeeds', async () => {
      const key = newKey()
      expect(await rejectionOf(store.get(key))).toBeInstanceOf(ObjectNotFoundError)
      expect(await rejectionOf(store.get(key, { range: { start: 0, end: 1 } }))).toBeInstanceOf(ObjectNotFoundError)
      expect(await store.head(key)).toBeUndefined()
      await store.delete(key)
    })

    test('delete removes, twice too', async () => {
      const key = newKey()
      await store.put(key, inMemory(Buffer.from('x')), { contentType })
      await store.delete(key)
      await store.delete(key)
      expect(await store.head(key)).toBeUndefined()
      expect(await rejectionOf(store.get(key))).toBeInstanceOf(ObjectNotFoundError)
    })

    test.each([
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'A',
      'a b',
      'a\0',
      'é',
      'a\\b',
      '%2e%2e/a',
      'a\n',
      'a'.repeat(256),
    ])('the key %j is refused everywhere', async (key) => {
      expect(await rejectionOf(store.put(key, inMemory(Buffer.from('x')), { contentType }))).toBeInstanceOf(
        ObjectStoreError,
      )
      expect(await rejectionOf(store.get(key))).toBeInstanceOf(ObjectStoreError)
      expect(await rejectionOf(store.head(key))).toBeInstanceOf(ObjectStoreError)
      expect(await rejectionOf(store.delete(key))).toBeInstanceOf(ObjectStoreError)
      expect(await rejectionOf(store.presignGet(key, 60))).toBeInstanceOf(ObjectStoreError)
      expect(() => store.uri(key)).toThrow(ObjectStoreError)
    })

    test('get and head reject with the reason of a signal aborted before', async () => {
      const key = newKey()
      await store.put(key, inMemory(Buffer.from('x')), { contentType })
      const reason = new Error('gone')
      const signal = AbortSignal.abort(reason)
      expect(await rejectionOf(store.get(key, { signal }))).toBe(reason)
      expect(await rejectionOf(store.head(key, { signal }))).toBe(reason)
      expect(await rejectionOf(store.ping({ signal }))).toBe(reason)
    })

    test('an abort in mid-read destroys the stream with the reason', async () => {
      const key = newKey()
      await store.put(key, inMemory(randomBytes(large)), { contentType })
      const reason = new Error('gone')
      const controller = new AbortController()
      const stream = await store.get(key, { signal: controller.signal })
      let received = 0
      const reading = (async () => {
        for await (const chunk of stream) {
          received += (chunk as Buffer).length
          controller.abort(reason)
        }
      })()
      expect(await rejectionOf(reading)).toBe(reason)
      expect(received).toBeLessThan(large)
    })

    test('an abort after the end does nothing; a reader may leave before it', async () => {
      const key = newKey()
      await store.put(key, inMemory(randomBytes(large)), { contentType })
      const controller = new AbortController()
      await buffer(await store.get(key, { signal: controller.signal }))
      controller.abort()
      for (let n = 0; n < 20; n++) {
        const stream = await store.get(key)
        const closed = new Promise((resolve) => stream.once('close', resolve))
        stream.destroy()
        await closed
      }
      expect(await store.head(key)).toEqual({ size: large })
    })

    test('puts of one key at the same time: every reader sees one of them whole', async () => {
      const key = newKey()
      const versions = Array.from({ length: 6 }, (_, n) => Buffer.alloc(300_000 + n, n))
      await store.put(key, inMemory(versions[0] as Buffer), { contentType })
      const writers = versions.map((bytes, n) =>
        store.put(key, n % 2 ? inMemory(bytes) : onDisk(folder, bytes), { contentType }),
      )
      const readers = Array.from({ length: 12 }, () => read(key))
      // A store without locks may answer the check of one put with the size of another: only the bytes must be whole.
      await Promise.allSettled(writers)
      for (const bytes of [...(await Promise.all(readers)), await read(key)]) {
        expect(versions.some((version) => version.equals(bytes))).toBe(true)
      }
    })

    test('puts and gets of many keys at the same time', async () => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const key = newKey()
          const bytes = randomBytes(1 + n * 3000)
          await store.put(key, n % 2 ? inMemory(bytes) : onDisk(folder, bytes), { contentType })
          const [first, second] = await Promise.all([read(key), read(key)])
          expect(first.equals(bytes) && second.equals(bytes)).toBe(true)
        }),
      )
    })

    test('uri names the key by scheme, without asking the store', () => {
      const uri = new URL(store.uri('one/two'))
      expect(uri.protocol).toBe(store.kind === 's3' ? 's3:' : 'file:')
      expect(uri.pathname.endsWith('/one/two')).toBe(true)
    })

    test('a presigned address gives this object, as an attachment, for its time only', async () => {
      const key = newKey()
      const other = newKey()
      await store.put(key, inMemory(Buffer.from('<p>mine')), { contentType: 'text/html' })
      await store.put(other, inMemory(Buffer.from('other')), { contentType })
      const url = await store.presignGet(key, 60)
      if (url === undefined) return
      const answer = await fetch(url)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-disposition')).toBe('attachment')
      expect(await answer.text()).toBe('<p>mine')
      expect((await fetch(url.replace(key, other))).status).toBe(403)
      expect((await fetch(url.replace(/X-Amz-Expires=60/, 'X-Amz-Expires=600'))).status).toBe(403)
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
      const short = (await store.presignGet(key, 1)) ?? expect.fail('it presigned before')
      await expect.poll(async () => (await fetch(short)).status, { timeout: 10_000, interval: 200 }).toBe(403)
      expect(await store.head(key)).toEqual({ size: 7 })
    })

    test('the self-test and the health check pass', async () => {
      await store.selfTest()
      await store.ping()
    })

    test('get gives a byte stream that can be piped', async () => {
      const key = newKey()
      await store.put(key, inMemory(Buffer.from('x')), { contentType })
      const stream = await store.get(key)
      expect(stream).toBeInstanceOf(Readable)
      expect(stream.readableObjectMode).toBe(false)
      await buffer(stream)
    })
  })
}
