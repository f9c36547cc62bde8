import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import type { Answer } from '../helpers/client.ts'
import { call, createUser } from '../helpers/client.ts'
import { type Deployment, prepareDeployment, type Replica } from '../helpers/replicas.ts'
import { makeAccount, systemContextOf, type TestAccount } from '../helpers/service.ts'
import { askThreads } from '../helpers/thread-client.ts'

/** The clock stands in the middle of a window: none ends within a test. */
const windowStart = Math.floor(Date.now() / 60_000) * 60_000

/** Two gateways on one database. */
let deployment: Deployment
let one: Replica
let two: Replica
let account: TestAccount
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: windowStart + 30_500 })
  const limits = { RATE_LIMIT_ALL: '6', RATE_LIMIT_MEMORY_READS: '4', RATE_LIMIT_MEMORY_WRITES: '3' }
  deployment = await prepareDeployment(limits)
  one = await deployment.start()
  two = await deployment.start()
})
afterAll(async () => {
  for (const replica of [one, two]) await replica?.close()
  await deployment?.close()
  vi.useRealTimers()
})
beforeEach(async () => {
  account = await makeAccount(one)
})

const read = (replica = one, key = account.apiKey) => askThreads({ base: replica.url, key }, 'GET')
const write = (replica = one, key = account.apiKey) =>
  askThreads({ base: replica.url, key }, 'POST', '', { resourceId: `user-${randomBytes(6).toString('hex')}` })

function stateOf({ status, headers }: Answer) {
  const of = (name: string) => headers.get(`x-ratelimit-${name}`)
  return [status, of('scope'), Number(of('limit')), Number(of('remaining'))]
}

describe('a key', () => {
  it('is told the state of its limits with every answer, and gets through exactly so often', async () => {
    const answers = []
    for (let asked = 0; asked < 5; asked++) answers.push(await read())
    expect(answers.map(stateOf)).toEqual([
      [200, 'memory_read', 4, 3],
      [200, 'memory_read', 4, 2],
      [200, 'memory_read', 4, 1],
      [200, 'memory_read', 4, 0],
      [429, 'memory_read', 4, 0],
    ])
    for (const { headers } of answers) expect(Number(headers.get('x-ratelimit-reset'))).toBe(windowStart / 1000 + 60)
    const refused = answers.at(-1)
    expect(refused?.headers.get('retry-after')).toBe('30')
    expect(refused?.body).toEqual({
      error: {
        message: expect.stringContaining('30 s'),
        type: 'rate_limit_error',
        scope: 'memory_read',
        retry_after_seconds: 30,
      },
    })
    // A refused one is counted nowhere: of 6 in all, 4 are used.
    expect(stateOf(await write())).toEqual([201, 'memory_write', 6, 1])
    expect(stateOf(await write())).toEqual([201, 'memory_write', 6, 0])
    expect(stateOf(await write())).toEqual([429, 'memory_write', 6, 0])
  })

  it('has its limits told with errors too', async () => {
    const base = `${one.url}/v1/memory/threads`
    const ask = (path: string, method = 'GET', body?: string) =>
      call(base + path, { method, headers: { 'x-api-key': account.apiKey }, ...(body && { body }) })
    expect(stateOf(await ask('/nothing'))).toEqual([404, 'memory_read', 4, 3])
    expect(stateOf(await ask('?limit=1000'))).toEqual([400, 'memory_read', 4, 2])
    expect(stateOf(await ask('', 'POST', 'no JSON'))).toEqual([400, 'memory_write', 3, 2])
    const readOnly = await createApiKey(systemContextOf(one), account.accountId, { name: 'x', scopes: ['read'] })
    expect(stateOf(await write(one, readOnly.secret))).toEqual([403, 'memory_write', 3, 2])
  })

  it('has limits of its own; so has the key of a user', async () => {
    const other = await createApiKey(systemContextOf(one), account.accountId, { name: 'x' })
    const native = await createUser(one.url)
    for (let asked = 0; asked < 4; asked++) await read()
    expect((await read()).status).toBe(429)
    expect(stateOf(await read(one, other.secret))).toEqual([200, 'memory_read', 4, 3])
    for (let asked = 0; asked < 4; asked++) expect((await read(one, native.key)).status).toBe(200)
    expect((await read(one, native.key)).status).toBe(429)
  })

  it('may send many at once: exactly as many as the limit get through', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => read()))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(16)
  })
})

describe('replicas', () => {
  it('count together what they have told each other', async () => {
    await read(one)
    await read(one)
    await read(two)
    await one.services.rates.share()
    await two.services.rates.share()
    expect(stateOf(await read(two))).toEqual([200, 'memory_read', 4, 0])
    expect((await read(two)).status).toBe(429)
  })

  it('tell each other without being asked, and when they end', async () => {
    const third = await deployment.start()
    for (let asked = 0; asked < 4; asked++) await read(third)
    await third.close()
    await read(one)
    await expect.poll(async () => (await read(one)).status, { timeout: 4_000, interval: 200 }).toBe(429)
  })
})

describe('a plan', () => {
  it('counts these requests too; what it refuses is counted in no window', async () => {
    const { services } = one
    const plans = services.plans as Map<string, object>
    plans.set('tiny', { requestsPerMinute: 2 })
    const planned = await makeAccount(one, { plan: 'tiny' })
    expect(stateOf(await read(one, planned.apiKey))).toEqual([200, 'memory_read', 2, 1])
    expect(stateOf(await read(one, planned.apiKey))).toEqual([200, 'memory_read', 2, 0])
    for (let asked = 0; asked < 3; asked++) {
      const refused = await read(one, planned.apiKey)
      expect(stateOf(refused)).toEqual([429, 'memory_read', 2, 0])
      expect(refused.body.error).toMatchObject({
        type: 'rate_limit_error',
        scope: 'memory_read',
        retry_after_seconds: Number(refused.headers.get('retry-after')),
      })
    }
    plans.set('tiny', {})
    expect(stateOf(await read(one, planned.apiKey))).toEqual([200, 'memory_read', 4, 1])
  })
})
