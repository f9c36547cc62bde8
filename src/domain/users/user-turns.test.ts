import { describe, expect, it } from 'vitest'
import { UserTurns } from './user-turns.ts'

const { signal } = new AbortController()
const take = (turns: UserTurns, userId: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => turns.take(userId, signal)))
const tick = () => new Promise((resolve) => setImmediate(resolve))

describe('turns of users', () => {
  it('are 4 at a time; the next begin as others end, in their order', async () => {
    const turns = new UserTurns()
    const places = await take(turns, 'a', 4)
    const begun: number[] = []
    const waiting = [1, 2, 3].map((name) => turns.take('a', signal).then((place) => (begun.push(name), place)))
    await tick()
    expect(begun).toEqual([])
    places[0]?.[Symbol.dispose]()
    places[0]?.[Symbol.dispose]()
    await tick()
    expect(begun).toEqual([1])
    places[1]?.[Symbol.dispose]()
    places[2]?.[Symbol.dispose]()
    expect((await Promise.all(waiting)).length).toBe(3)
    expect(begun).toEqual([1, 2, 3])
  })

  it('of one user keep nobody else waiting', async () => {
    const turns = new UserTurns()
    await take(turns, 'a', 4)
    void turns.take('a', signal)
    expect(await take(turns, 'b', 4)).toHaveLength(4)
  })

  it('are fewer while the process is busy and others are there, and as many again afterwards', async () => {
    let isBusy = true
    const turns = new UserTurns(() => isBusy)
    const places = await take(turns, 'a', 4)
    await take(turns, 'b', 1)
    const begun: number[] = []
    const waiting = [1, 2, 3, 4].map((name) => turns.take('a', signal).then((place) => (begun.push(name), place)))
    for (const place of places.slice(0, 3)) place[Symbol.dispose]()
    await tick()
    expect(begun).toEqual([])
    places[3]?.[Symbol.dispose]()
    await tick()
    expect(begun).toEqual([1])
    isBusy = false
    ;(await waiting[0])?.[Symbol.dispose]()
    await tick()
    expect(begun).toEqual([1, 2, 3, 4])
  })

  it('are refused to a user with 256 requests under way', async () => {
    const turns = new UserTurns()
    const places = await take(turns, 'a', 4)
    for (let waiting = 0; waiting < 252; waiting++) void turns.take('a', signal)
    await expect(turns.take('a', signal)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfter: 1,
      details: { max_requests_per_user: 256 },
    })
    places[0]?.[Symbol.dispose]()
    void turns.take('a', signal)
    await expect(turns.take('a', signal)).rejects.toMatchObject({ code: 'rate_limited' })
  })

  it('pass over a client who is gone', async () => {
    const turns = new UserTurns()
    const places = await take(turns, 'a', 4)
    const gone = new AbortController()
    const abandoned = turns.take('a', gone.signal)
    const next = turns.take('a', signal)
    gone.abort(new Error('gone'))
    await expect(abandoned).rejects.toThrow('gone')
    places[0]?.[Symbol.dispose]()
    await next
  })
})
