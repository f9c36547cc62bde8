import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeApp, type TestApp } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

/** Two seconds, so that many memories share one. */
const instants = ['2024-11-15T10:30:00.000Z', '2024-11-15T10:30:00.001Z', '2024-11-15T10:30:01.000Z']

async function put(app: TestApp, times: readonly string[]): Promise<string[]> {
  if (times.length === 0) return []
  const memories = times.map((created_at, n) => ({ content: `Memory ${n}`, created_at, user_id: `u${n % 3}` }))
  const { status, body } = await app.post('/api/v1/memories/import', { memories })
  expect(status).toBe(200)
  return body.memory_ids
}

/** Goes through the list; after each page, something is added. */
async function walk(app: TestApp, query: string, afterPage: () => Promise<unknown>): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await app.get(`/api/v1/memories?${query}${cursor && `&cursor=${cursor}`}`)
    expect(status).toBe(200)
    ids.push(...body.results.map((one: { id: string }) => one.id))
    cursor = body.next_cursor
    await afterPage()
  }
  return ids
}

describe('a walk through the list by its cursors', () => {
  it('gives each memory that was there once, whatever is added meanwhile', async () => {
    const time = fc.constantFrom(...instants)
    await fc.assert(
      fc.asyncProperty(
        fc.array(time, { minLength: 1, maxLength: 12 }),
        fc.array(fc.array(time, { maxLength: 2 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('asc', 'desc'),
        async (before, added, limit, order) => {
          const app = await makeApp(gateway)
          const wanted = await put(app, before)
          const rest = [...added]
          const found = await walk(app, `limit=${limit}&order=${order}`, () => put(app, rest.shift() ?? []))
          expect(new Set(found).size).toBe(found.length)
          expect(wanted.filter((id) => !found.includes(id))).toEqual([])
        },
      ),
      { numRuns: 12 },
    )
  }, 120_000)

  it('gives nothing twice or not at all while others add at the same time', async () => {
    const app = await makeApp(gateway)
    const wanted = await put(
      app,
      Array.from({ length: 20 }, (_, n) => instants[n % 3] ?? ''),
    )
    const adding = (async () => {
      for (let n = 0; n < 5; n++) {
        await Promise.all([put(app, [instants[0] ?? '']), put(app, [new Date().toISOString()])])
      }
    })()
    const walks = await Promise.all([
      walk(app, 'limit=3&order=asc', () => Promise.resolve()),
      walk(app, 'limit=3&order=desc', () => Promise.resolve()),
    ])
    await adding
    for (const found of walks) {
      expect(new Set(found).size).toBe(found.length)
      expect(wanted.filter((id) => !found.includes(id))).toEqual([])
    }
  })

  it('goes the same way as one page that is long enough', async () => {
    const app = await makeApp(gateway)
    await put(
      app,
      Array.from({ length: 15 }, (_, n) => instants[n % 3] ?? ''),
    )
    for (const query of ['order=asc', 'order=desc', 'order=desc&user_id=u1']) {
      const whole = await walk(app, `${query}&limit=100`, () => Promise.resolve())
      expect(await walk(app, `${query}&limit=4`, () => Promise.resolve())).toEqual(whole)
    }
  })

  it('refuses any cursor that it did not give', async () => {
    const app = await makeApp(gateway)
    const text = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    )
    await fc.assert(
      fc.asyncProperty(text, async (cursor) => {
        fc.pre(cursor !== '')
        const { status } = await app.get(`/api/v1/memories?cursor=${encodeURIComponent(cursor)}`)
        expect(status).toBe(400)
      }),
      { numRuns: 40 },
    )
  })
})
