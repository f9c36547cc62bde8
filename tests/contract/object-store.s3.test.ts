import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createS3ObjectStore, type S3Options } from '../../src/adapters/object-store/s3.ts'
import { ObjectStoreError } from '../../src/ports/object-store.ts'
import { s3Settings, swiftSettings } from '../helpers/deployments.ts'
import { describeObjectStore, inMemory, onDisk, rejectionOf } from './object-store.ts'

setFlagsFromString('--expose-gc')
const collectYoung = runInNewContext("() => gc({ type: 'minor' })") as () => void

/** Without what has passed: else it is garbage that is measured, of which a busy machine leaves more. */
function lookAtMemory(): NodeJS.MemoryUsage {
  collectYoung()
  return process.memoryUsage()
}

// tests/services/ceph-rgw.sh and tests/services/swift-s3.sh start them.
for (const [name, variable, settings] of [
  ['S3', 'TEST_S3_ENDPOINT', s3Settings],
  ['Swift', 'TEST_SWIFT_S3_ENDPOINT', swiftSettings],
] as const) {
  if (settings) {
    const options: S3Options = {
      bucket: settings.S3_BUCKET ?? '',
      endpoint: settings.S3_ENDPOINT,
      region: process.env.TEST_S3_REGION ?? 'us-east-1',
      accessKeyId: settings.S3_ACCESS_KEY_ID,
      secretAccessKey: settings.S3_SECRET_ACCESS_KEY,
      forcePathStyle: true,
    }
    describeObjectStore(`${name} at ${settings.S3_ENDPOINT}`, () => createS3ObjectStore(options))
    describeRealS3(name, options)
  } else {
    test.skipIf(process.env.REQUIRE_SERVICES !== '1')(`the S3 object store needs ${variable}`, () => {
      expect.fail(`REQUIRE_SERVICES is 1, but ${variable} is not set`)
    })
  }
}

async function hashOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function describeRealS3(name: string, options: S3Options): void {
  describe(`a real ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 's3-store-'))
    const store = createS3ObjectStore(options)
    afterAll(async () => {
      await store.close()
      rmSync(folder, { recursive: true })
    })

    test.each([
      ['memory', inMemory],
      ['a spooled file', (bytes: Buffer) => onDisk(folder, bytes)],
    ] as const)('other bytes than were hashed are refused (%s)', async (_, spool) => {
      const key = `contract/${randomBytes(12).toString('hex')}`
      const file = { ...spool(randomBytes(100_000)), sha256: inMemory(Buffer.from('other')).sha256 }
      const failure = await rejectionOf(store.put(key, file, { contentType: 'text/plain' }))
      expect(failure).toBeInstanceOf(ObjectStoreError)
      expect(String(failure)).toContain('the bytes that arrived are not the bytes that were taken in')
      expect(await store.head(key)).toBeUndefined()
    })

    test.each<[string, Partial<S3Options>]>([
      ['S3_BUCKET', { bucket: 'no-such-bucket-here' }],
      ['S3_ACCESS_KEY_ID', { accessKeyId: 'unknown' }],
      ['S3_SECRET_ACCESS_KEY', { secretAccessKey: 'wrong' }],
      // Ceph takes any region.
      ...(name === 'Swift' ? ([['S3_REGION', { region: 'eu-west-9' }]] as [string, Partial<S3Options>][]) : []),
      ['S3_ENDPOINT', { endpoint: 'http://127.0.0.1:9', maxAttempts: 1 }],
      ['S3_ENDPOINT', { endpoint: 'http://no-such-host.invalid', maxAttempts: 1 }],
    ])('the self-test names %s for %j', async (setting, wrong) => {
      const misled = createS3ObjectStore({ ...options, ...wrong })
      const failure = await rejectionOf(misled.selfTest())
      expect(failure).toBeInstanceOf(ObjectStoreError)
      expect(String(failure)).toContain(`${setting}: `)
      expect(await rejectionOf(misled.ping())).toBeInstanceOf(ObjectStoreError)
      await misled.close()
    })

    test.each([-7_200_000, 7_200_000])(
      'a clock that is %i ms off is corrected, for presigned addresses too',
      async (offset) => {
        const key = `contract/${randomBytes(12).toString('hex')}`
        const now = Date.now()
        vi.useFakeTimers({ toFake: ['Date'], now: now + offset, shouldAdvanceTime: true })
        const skewed = createS3ObjectStore(options)
        try {
          await skewed.selfTest()
          await skewed.put(key, inMemory(Buffer.from('late')), { contentType: 'text/plain' })
          const url = new URL((await skewed.presignGet(key, 600)) ?? expect.fail('it gives none'))
          const [, year, month, day, time] =
            /^(\d{4})(\d\d)(\d\d)(T\d{6}Z)$/.exec(url.searchParams.get('X-Amz-Date') ?? '') ?? []
          const signedAt = Date.parse(`${year}-${month}-${day}${time?.replace(/(\d\d)(\d\d)(\d\dZ)/, '$1:$2:$3')}`)
          expect(Math.abs(signedAt - now)).toBeLessThan(600_000)
          expect(await (await fetch(url)).text()).toBe('late')
        } finally {
          vi.useRealTimers()
          await skewed.close()
          await store.delete(key)
        }
      },
    )

    test('a file of 128 MiB goes there and back without being held', async () => {
      const key = `contract/${randomBytes(12).toString('hex')}`
      const path = join(folder, 'large')
      const size = 128 * 1024 * 1024
      writeFileSync(path, '')
      truncateSync(path, size)
      const sha256 = await hashOf(createReadStream(path))
      const before = lookAtMemory()
      const peak = { ...before }
      const sampling = setInterval(() => {
        const { rss, external } = lookAtMemory()
        peak.rss = Math.max(peak.rss, rss)
        peak.external = Math.max(peak.external, external)
      }, 10)
      await store.put(key, { path, size, sha256 }, { contentType: 'application/octet-stream' })
      expect(await hashOf(await store.get(key))).toBe(sha256)
      clearInterval(sampling)
      await store.delete(key)
      // What the process has may be what earlier tests left it; the buffers are these.
      expect(peak.rss - before.rss).toBeLessThan(size / 2)
      expect(peak.external - before.external).toBeLessThan(size / 2)
    })

    test('a bucket that is not there is not an empty one', async () => {
      const lost = createS3ObjectStore({ ...options, bucket: 'no-such-bucket-here' })
      for (const call of [() => lost.head('a'), () => lost.get('a'), () => lost.delete('a')]) {
        const failure = await rejectionOf(call())
        expect(failure).toBeInstanceOf(ObjectStoreError)
        expect(String(failure)).toContain('S3_BUCKET: ')
      }
      await lost.close()
    })
  })
}
