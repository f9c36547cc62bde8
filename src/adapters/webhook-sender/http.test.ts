import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { WebhookSender } from '../../ports/webhook-sender.ts'
import { createHttpWebhookSender } from './http.ts'

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
const closers: (() => Promise<unknown>)[] = []

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, requests }
}

function sender(options: Partial<Parameters<typeof createHttpWebhookSender>[0]> = {}): WebhookSender {
  const made = createHttpWebhookSender({ allowPrivate: true, ...options })
  closers.push(() => made.close())
  return made
}

const post = (to: WebhookSender, url: string) =>
  to.post({ url, headers: { 'X-Test': '1' }, body: '{"a":1}' }, new AbortController().signal)

/** A resolver that gives the next of these answers at each question. */
function resolver(...answers: readonly (readonly string[])[]): LookupFunction & { asked: number } {
  const lookup = ((_host, options, callback) => {
    const addresses = (answers[lookup.asked++] ?? answers.at(-1) ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    if (options.all) return callback(null, addresses)
    return callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4)
  }) as LookupFunction & { asked: number }
  lookup.asked = 0
  return lookup
}

const REFUSED = `
  http://127.0.0.1/ http://127.1/ http://2130706433/ http://0x7f000001/ http://0177.0.0.1/ http://017700000001/
  http://0x7f.0.0.1:8080/ http://127.0.0.1./ http://①②⑦.⓪.⓪.①/ http://0/ http://10.1.2.3/ http://192.168.1.1/
  http://169.254.169.254/latest/meta-data/ http://100.100.100.200/ http://[::1]/ http://[::]/
  http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[64:ff9b::7f00:1]/ http://[fe80::1]/
  http://[fd00:ec2::254]/ https://localhost/ https://LOCALHOST:8010/ https://localhost./ https://a.localhost/
  http://224.0.0.1/ http://255.255.255.255/ ftp://example.com/ file:///etc/passwd javascript:alert(1)
  gopher://example.com/ example.com //example.com https://user:secret@example.com/ https://user@example.com/
  http://
`
  .trim()
  .split(/\s+/)

describe('an address of a webhook', () => {
  const strict = createHttpWebhookSender({ allowPrivate: false })

  it.each([...REFUSED, '', `https://example.com/${'a'.repeat(2_048)}`])('is refused: %s', async (url) => {
    expect(strict.objectionTo(url)).toBeTypeOf('string')
    await expect(post(strict, url)).rejects.toMatchObject({ reason: 'forbidden' })
  })

  it.each([
    'https://example.com/',
    'http://example.com:8080/hook?a=1',
    'https://1.1.1.1/',
    'https://[2606:4700::1111]:8443/',
  ])('is taken: %s', (url) => {
    expect(strict.objectionTo(url)).toBeUndefined()
  })

  it('may be private where the operator allows it, but nothing else changes', () => {
    expect(sender().objectionTo('http://127.0.0.1:9000/hook')).toBeUndefined()
    expect(sender().objectionTo('http://user:secret@127.0.0.1/')).toBeTypeOf('string')
    expect(sender().objectionTo('ftp://127.0.0.1/')).toBeTypeOf('string')
  })
})

describe('a name', () => {
  it.each([[['127.0.0.1']], [['10.0.0.1']], [['::1']], [['::ffff:127.0.0.1']], [['8.8.8.8', '127.0.0.1']], [[]]])(
    'that resolves to %s is not connected to',
    async (addresses) => {
      const { port, requests } = await listen((_, response) => response.end('internal secret'))
      const strict = sender({ allowPrivate: false, lookup: resolver(addresses) })
      const failure = await post(strict, `http://hook.example:${port}/`).catch((error: unknown) => error)
      expect(failure).toMatchObject({ reason: 'forbidden' })
      expect(String((failure as Error).message)).not.toContain('127')
      expect(requests).toEqual([])
    },
  )

  it('that was public a moment ago and is not any more is not connected to', async () => {
    const { port, requests } = await listen((_, response) => response.end('internal secret'))
    const lookup = resolver(['2a0f:ffff:ffff::1'], ['127.0.0.1'])
    const strict = sender({ allowPrivate: false, lookup, connectMs: 300, totalMs: 400 })
    await expect(post(strict, `http://hook.example:${port}/`)).rejects.toMatchObject({ name: 'WebhookSendError' })
    await expect(post(strict, `http://hook.example:${port}/`)).rejects.toMatchObject({ reason: 'forbidden' })
    // Each connection asks once, and goes where the answer that was looked at says.
    expect(lookup.asked).toBe(2)
    expect(requests).toEqual([])
  })

  it('that is not known is told as that', async () => {
    const lookup: LookupFunction = (_host, _options, callback) =>
      callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), '', 0)
    await expect(post(sender({ allowPrivate: false, lookup }), 'https://nowhere.example/')).rejects.toMatchObject({
      reason: 'unreachable',
      message: 'The name of the host is not known.',
    })
  })
})

describe('an attempt', () => {
  it('posts JSON, and keeps the beginning of the answer', async () => {
    let seen = ''
    const { port } = await listen((request, response) => {
      request.on(
        'data',
        (chunk: Buffer) => (seen += `${request.method} ${request.headers['content-type']} ${chunk.toString()}`),
      )
      request.on('end', () => response.writeHead(429, { 'retry-after': '7' }).end(`a\0${'é'.repeat(5_000)}`))
    })
    const answer = await post(sender(), `http://127.0.0.1:${port}/hook?a=1`)
    expect(seen).toBe('POST application/json {"a":1}')
    expect(answer).toMatchObject({ status: 429, retryAfterSeconds: 7 })
    expect(answer.body).toMatch(/^aé{2047}/)
    expect(Buffer.byteLength(answer.body)).toBeLessThanOrEqual(4_100)
  })

  it('does not wait for an answer that does not end', async () => {
    const { port } = await listen((_, response) => {
      response.writeHead(200)
      const more = setInterval(() => response.write('x'.repeat(1_024)), 1)
      response.on('close', () => clearInterval(more))
    })
    expect((await post(sender(), `http://127.0.0.1:${port}/`)).body).toHaveLength(4_096)
  })

  it('follows no redirect', async () => {
    const inner = await listen((_, response) => response.end('internal secret'))
    const { port } = await listen((_, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/` }).end(),
    )
    expect(await post(sender(), `http://127.0.0.1:${port}/`)).toMatchObject({ status: 307, body: '' })
    expect(inner.requests).toEqual([])
  })

  it('ends in time, whether the receiver is silent or slow', async () => {
    const silent = await listen(() => {})
    const slow = await listen((_, response) => {
      const more = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(more))
    })
    for (const { port } of [silent, slow]) {
      await expect(post(sender({ totalMs: 150 }), `http://127.0.0.1:${port}/`)).rejects.toMatchObject({
        reason: 'timeout',
      })
    }
  })

  it('tells a refused and a broken connection', async () => {
    const broken = await listen((request) => request.socket.destroy())
    await expect(post(sender(), `http://127.0.0.1:${broken.port}/`)).rejects.toMatchObject({ reason: 'unreachable' })
    await expect(post(sender(), 'http://127.0.0.1:1/')).rejects.toMatchObject({
      reason: 'unreachable',
      message: 'The host refused the connection.',
    })
  })

  it('ends with the gateway', async () => {
    const { port } = await listen(() => {})
    const ending = new AbortController()
    const attempt = sender().post({ url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}' }, ending.signal)
    ending.abort()
    await expect(attempt).rejects.toMatchObject({ reason: 'stopped' })
  })
})
