import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createS3ObjectStore, type S3Options } from '../../src/adapters/object-store/s3.ts'
import { ObjectNotFoundError, type ObjectStore, ObjectStoreError } from '../../src/ports/object-store.ts'
import { inMemory, onDisk, rejectionOf } from './object-store.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

const contentType = 'text/plain'
const folder = mkdtempSync(join(tmpdir(), 's3-faults-'))
let server: Server
let answer: Handler
let calls: string[]
let stores: ObjectStore[]

function open(options: Partial<S3Options> = {}): ObjectStore {
  const store = createS3ObjectStore({
    bucket: 'bucket',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    forcePathStyle: true,
    connectTimeoutMs: 500,
    idleTimeoutMs: 200,
    ...options,
  })
  stores.push(store)
  return store
}

function fail(status: number, code: string): Handler {
  return (request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/xml' })
    response.end(request.method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>no</Message></Error>`)
  }
}

/** Answers one request after the other; the last handler answers all that follow. */
function inTurn(...handlers: Handler[]): Handler {
  return (request, response) => (handlers.length > 1 ? handlers.shift() : handlers[0])?.(request, response)
}

beforeAll(async () => {
  server = createServer((request, response) => {
    calls.push(request.method ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

beforeEach(() => {
  calls = []
  stores = []
  for (const method of ['log', 'info', 'warn', 'error'] as const) vi.spyOn(console, method)
})

afterEach(async () => {
  for (const method of ['log', 'info', 'warn', 'error'] as const) expect(console[method]).not.toHaveBeenCalled()
  vi.restoreAllMocks()
  await Promise.all(stores.map((store) => store.close()))
  server.closeAllConnections()
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const sources = [
  ['memory', inMemory],
  ['a spooled file', (bytes: Buffer) => onDisk(folder, bytes)],
] as const

describe.each(sources)('put from %s', (_, spool) => {
  const bytes = randomBytes(700_000)

  test.each<[string, Handler]>([
    ['503 SlowDown', fail(503, 'SlowDown')],
    ['500 InternalError', fail(500, 'InternalError')],
    ['a cut connection', (request) => request.once('data', () => request.destroy())],
    ['no answer', (request) => request.resume()],
  ])('%s once: the next attempt sends every byte again', async (_fault, fault) => {
    let received = Buffer.alloc(0)
    const accept: Handler = async (request, response) => {
      received = await buffer(request)
      response.end()
    }
    const head: Handler = (_request, response) => response.writeHead(200, { 'content-length': bytes.length }).end()
    answer = inTurn(fault, accept, head)
    await open().put('a', spool(bytes), { contentType })
    expect(received.equals(bytes)).toBe(true)
    expect(calls).toEqual(['PUT', 'PUT', 'HEAD'])
  })

  test('a fault that stays ends after the attempts allowed', async () => {
    answer = fail(503, 'SlowDown')
    const failure = await rejectionOf(open({ maxAttempts: 2 }).put('a', spool(bytes), { contentType }))
    expect(failure).toBeInstanceOf(ObjectStoreError)
    expect(String(failure)).toContain('S3_ENDPOINT: ')
    expect(calls).toEqual(['PUT', 'PUT'])
  })

  test('no answer twice ends it, however many attempts are allowed', async () => {
    answer = (request) => request.resume()
    const failure = await rejectionOf(open({ maxAttempts: 5 }).put('a', spool(bytes), { contentType }))
    expect(String(failure)).toContain('S3_ENDPOINT: ')
    expect(calls).toEqual(['PUT', 'PUT'])
  })

  test('a refusal is not tried again', async () => {
    answer = fail(403, 'AccessDenied')
    expect(await rejectionOf(open().put('a', spool(bytes), { contentType }))).toBeInstanceOf(ObjectStoreError)
    expect(calls).toEqual(['PUT'])
  })

  test('acknowledged, but kept in another size', async () => {
    answer = (request, response) => {
      request.resume()
      request.once('end', () => response.writeHead(200, request.method === 'HEAD' ? { 'content-length': 5 } : {}).end())
    }
    expect(await rejectionOf(open().put('a', spool(bytes), { contentType }))).toBeInstanceOf(ObjectStoreError)
  })

  test('an abort while the store does not answer', async () => {
    const reason = new Error('gone')
    const controller = new AbortController()
    answer = (request) => {
      request.resume()
      controller.abort(reason)
    }
    const put = open({ idleTimeoutMs: 20_000 }).put('a', spool(bytes), { contentType, signal: controller.signal })
    expect(await rejectionOf(put)).toBe(reason)
    expect(calls).toEqual(['PUT'])
  })
})

test('a reader may take longer over a download than the store may be silent', async () => {
  const idleTimeoutMs = 300
  const bytes = randomBytes(8_000_000)
  answer = (_request, response) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  const stream = await open({ idleTimeoutMs }).get('a')
  await once(stream, 'readable')
  await new Promise((resolve) => setTimeout(resolve, idleTimeoutMs * 3))
  expect(Buffer.concat(await stream.toArray()).equals(bytes)).toBe(true)
})

test('an upload that goes on slowly may last longer than a pause', async () => {
  const idleTimeoutMs = 1_500
  const file = onDisk(folder, randomBytes(24_000_000))
  const slowly: Handler = (request, response) => {
    request.on('data', () => {
      request.pause()
      setTimeout(() => request.resume(), 10)
    })
    request.once('end', () => response.end())
  }
  answer = inTurn(slowly, (_request, response) => response.writeHead(200, { 'content-length': file.size }).end())
  const start = performance.now()
  await open({ idleTimeoutMs }).put('a', file, { contentType })
  expect(performance.now() - start).toBeGreaterThan(idleTimeoutMs)
  expect(calls).toEqual(['PUT', 'HEAD'])
})

test('a spooled file that is cut while it is sent', async () => {
  const file = onDisk(folder, randomBytes(30_000_000))
  answer = (request) => {
    truncateSync(file.path, 1000)
    request.resume()
  }
  const failure = await rejectionOf(open({ maxAttempts: 1 }).put('a', file, { contentType }))
  expect(failure).toBeInstanceOf(ObjectStoreError)
})

describe('get', () => {
  const part: Handler = (_request, response) =>
    response.writeHead(200, { 'content-length': 100_000 }).write(randomBytes(40_000))

  test('a body that is cut fails the reader', async () => {
    answer = (request, response) => {
      part(request, response)
      response.write(randomBytes(10), () => response.destroy())
    }
    expect(await rejectionOf(buffer(await open().get('a')))).toBeInstanceOf(ObjectStoreError)
  })

  test('a body that stalls fails the reader', async () => {
    answer = part
    expect(await rejectionOf(buffer(await open().get('a')))).toBeInstanceOf(ObjectStoreError)
  })

  test('an abort during a stall', async () => {
    answer = part
    const reason = new Error('gone')
    const controller = new AbortController()
    const stream = await open({ idleTimeoutMs: 20_000 }).get('a', { signal: controller.signal })
    stream.once('data', () => controller.abort(reason))
    expect(await rejectionOf(new Promise((_, reject) => stream.once('error', reject)))).toBe(reason)
  })

  test('a reader that leaves closes the connection', async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (request, response) => {
        part(request, response)
        response.once('close', resolve)
      }
    })
    const stream = await open({ idleTimeoutMs: 20_000 }).get('a')
    stream.destroy()
    await closed
  })

  test('a store that ignores the range, or tells no length', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-length': 3 }).end('abc')
    expect(await rejectionOf(open().get('a', { range: { start: 0, end: 1 } }))).toBeInstanceOf(ObjectStoreError)
    expect(await rejectionOf(open().get('a', { range: { start: 0, end: 2 } }))).toBeInstanceOf(ObjectStoreError)
    answer = (_request, response) => response.writeHead(200, { 'transfer-encoding': 'chunked' }).end('abc')
    expect(await rejectionOf(open().get('a'))).toBeInstanceOf(ObjectStoreError)
  })

  test('no answer, and an answer that is none', async () => {
    answer = () => {}
    expect(await rejectionOf(open({ maxAttempts: 1 }).get('a'))).toBeInstanceOf(ObjectStoreError)
    answer = (_request, response) => response.writeHead(502).end('<html>Bad Gateway</html>')
    expect(await rejectionOf(open({ maxAttempts: 1 }).get('a'))).toBeInstanceOf(ObjectStoreError)
  })

  test('a missing key is no fault', async () => {
    answer = fail(404, 'NoSuchKey')
    expect(await rejectionOf(open().get('a'))).toBeInstanceOf(ObjectNotFoundError)
    expect(calls).toEqual(['GET'])
  })
})

describe('the self-test names what to change', () => {
  test.each([
    [403, 'RequestTimeTooSkewed', 'set the clock'],
    [301, 'PermanentRedirect', 'S3_REGION: '],
    [400, 'AuthorizationHeaderMalformed', 'S3_REGION: '],
    [403, 'AccessDenied', 'S3_ACCESS_KEY_ID: '],
    [403, 'InvalidAccessKeyId', 'S3_ACCESS_KEY_ID: '],
    [403, 'SignatureDoesNotMatch', 'S3_SECRET_ACCESS_KEY: '],
    [404, 'NoSuchBucket', 'S3_BUCKET: '],
    [503, 'SlowDown', 'S3_ENDPOINT: '],
  ])('%i %s', async (status, code, setting) => {
    answer = fail(status, code)
    const failure = await rejectionOf(open({ maxAttempts: 1 }).selfTest())
    expect(failure).toBeInstanceOf(ObjectStoreError)
    expect(String(failure)).toContain(setting)
    expect(String(failure)).not.toContain('secret')
  })

  test('an endpoint where nobody listens', async () => {
    const failure = await rejectionOf(open({ endpoint: 'http://127.0.0.1:9', maxAttempts: 1 }).selfTest())
    expect(String(failure)).toContain('S3_ENDPOINT: http://127.0.0.1:9 cannot be reached')
  })
})

test('a HEAD that finds nothing asks for the bucket too', async () => {
  answer = inTurn(fail(404, ''), (_request, response) => response.end())
  expect(await open().head('a')).toBeUndefined()
  answer = fail(404, '')
  expect(String(await rejectionOf(open().head('a')))).toContain('S3_BUCKET: ')
  expect(calls).toEqual(['HEAD', 'HEAD', 'HEAD', 'HEAD'])
})
