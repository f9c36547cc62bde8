import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createUser, until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let fake: FakeEveros
let gateway: TestGateway

beforeAll(async () => {
  fake = await startFakeEveros()
  gateway = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url, RELAY_WAIT_MS: '3000' })
})
afterEach(() => {
  fake.delay('search', 0)
  fake.delay('add', 0)
})
afterAll(async () => {
  await gateway.close()
  await fake.close()
})

const received = (route: string) => fake.requests.filter(({ path }) => path.endsWith(route)).length

/** Until the backend has been asked four times more. */
async function fourAt(route: string, before: number): Promise<void> {
  await until(
    () => Promise.resolve(received(route) - before),
    (count) => count >= 4,
  )
}

const say = (session: string) => ({ session_id: session, messages: [{ role: 'user', content: 'The harbour.' }] })

describe('of many requests of one user', () => {
  it('four are worked on at a time, and others are served before the rest', async () => {
    const [busy, other] = [await createUser(gateway.url), await createUser(gateway.url)]
    for (const user of [busy, other]) await user.post('/memories/add', say('chat:1'))
    fake.delay('search', 400)
    const done: string[] = []
    const search = async (user: typeof busy, name: string) => {
      const { status } = await user.post('/memories/search', { query: 'harbour' })
      done.push(name)
      return status
    }
    const before = received('/search')
    const searches = Array.from({ length: 20 }, () => search(busy, 'busy'))
    await fourAt('/search', before)
    searches.push(search(other, 'other'))
    expect(new Set(await Promise.all(searches))).toEqual(new Set([200]))
    expect(done.indexOf('other')).toBeLessThan(16)
  })

  it('those that wait for the backend to take what is stored do not count', async () => {
    const user = await createUser(gateway.url)
    await user.post('/memories/add', say('chat:1'))
    fake.delay('add', 3_000)
    const before = received('/add')
    const done: string[] = []
    const adds = Array.from({ length: 8 }, async (_, at) => {
      await user.post('/memories/add', say(`chat:${at}`))
      done.push('add')
    })
    await fourAt('/add', before)
    await user.get('/sessions')
    expect(done).toEqual([])
    await Promise.all(adds)
  })
})
