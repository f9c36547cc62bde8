import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LoggedGateway, startLoggedGateway } from '../helpers/logged-gateway.ts'
import { makeAccount } from '../helpers/service.ts'
import { postBytes, type StubProvider, startStubProvider } from '../helpers/stub-provider.ts'
import { askThreads } from '../helpers/thread-client.ts'

let gateway: LoggedGateway
let provider: StubProvider
let key: string
const path = '/v1/chat/completions'
const hello = '{"model":"local/small","messages":[{"role":"user","content":"Hello"}]}'
const chat = (headers: Record<string, string>, body = hello) => postBytes(gateway.url + path, body, headers)
const app = () => ({ base: gateway.url, key })
const asHeader = (name: string) => Buffer.from(name).toString('latin1')

beforeAll(async () => {
  provider = await startStubProvider()
  gateway = await startLoggedGateway({
    MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url, api_key: 'sk-configured' } }),
  })
  key = (await makeAccount(gateway)).apiKey
})
afterAll(async () => {
  await gateway.close()
  await provider.close()
})

describe('a resource that a header names', () => {
  // The last byte of the one is, in Latin-1, a space that does not break; a mark of byte order is not seen.
  it.each([
    ['voilà', 'voilÃ'],
    ['Sauš Š', 'Sauš Å'],
    ['\ufeffalice', 'alice'],
    ['\u00a0bob', 'bob'],
  ])('is no other than its name says: %j, %j', async (one, other) => {
    const ids: string[] = []
    for (const name of [one, other]) {
      const headers = { 'x-resource-id': asHeader(name) }
      const { body } = await askThreads(app(), 'POST', '', { resourceId: name }, headers)
      expect(body.thread?.resourceId, JSON.stringify(body)).toBe(name)
      ids.push(body.thread.id)
      const { body: list } = await askThreads(app(), 'GET', '', undefined, headers)
      expect(list.threads.map(({ id }: { id: string }) => id)).toEqual([ids.at(-1)])
    }
  })

  it('is refused where it is no UTF-8', async () => {
    const { status, bytes } = await chat({
      authorization: `Bearer ${key}`,
      'x-thread-id': 't',
      'x-resource-id': 'Jos\xe9',
    })
    expect([status, bytes.toString()]).toEqual([400, expect.stringContaining('UTF-8')])
  })
})

describe('a key of the gateway', () => {
  it.each<[string, () => Record<string, string>]>([
    ['in both headers', () => ({ authorization: `Bearer ${key}`, 'x-api-key': key })],
    ['in the header of a key of another kind', () => ({ 'x-api-key': key, 'api-key': key, 'x-goog-api-key': key })],
    ['behind a tab', () => ({ authorization: `Bearer\t${key}`, 'x-memory-gateway-authorization': `Bearer ${key}` })],
    ['twice in one', () => ({ authorization: `Bearer ${key}, x`, 'x-memory-gateway-authorization': `Bearer ${key}` })],
  ])('%s is not sent on', async (_, headers) => {
    const before = provider.calls.length
    expect((await chat(headers())).status).toBe(200)
    const sent = provider.calls.at(-1)
    expect(provider.calls).toHaveLength(before + 1)
    expect(sent?.headers.authorization).toBe('Bearer sk-configured')
    expect(JSON.stringify([sent?.headers, sent?.body.toString()])).not.toContain(key)
  })
})

it('an answer with two Connection headers passes without what they name', async () => {
  provider.script('twice', (response) => {
    response.socket?.end(
      'HTTP/1.1 200 OK\r\nConnection: x-a\r\nConnection: close, x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nContent-Length: 2\r\n\r\n{}',
    )
  })
  const { status, headers } = await chat({ authorization: `Bearer ${key}`, 'x-script': 'twice' })
  expect([status, headers['x-a'], headers['x-b'], headers['x-c']]).toEqual([200, undefined, undefined, '3'])
})

it('bodies that are announced and do not come keep no other out', async () => {
  const sockets = Array.from({ length: 80 }, () =>
    connect(Number(new URL(gateway.url).port), '127.0.0.1').on('error', () => {}),
  )
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nExpect: 100-continue\r\n`
  for (const socket of sockets) socket.write(`${head}Content-Length: 2097152\r\n\r\n`)
  // Asked to go on: each is admitted.
  for (const socket of sockets) expect(String((await once(socket, 'data'))[0])).toContain('100 Continue')
  for (let count = 0; count < 5; count++) {
    expect((await chat({ authorization: `Bearer ${key}` })).status).toBe(200)
  }
  for (const socket of sockets) socket.destroy()
})
