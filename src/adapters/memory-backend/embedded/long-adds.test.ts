import { describe, expect, it } from 'vitest'
import { LongAdds } from './long-adds.ts'

const of = (senderId: string) => ({ projectId: 'p', senderId })

/** Runs that end when they are told to, and the order in which they began. */
function started() {
  const began: string[] = []
  const ends: (() => void)[] = []
  const work = (name: string) => () => {
    began.push(name)
    return new Promise<string>((resolve) => ends.push(() => resolve(name)))
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return { began, work, settle, endNext: async () => (ends.shift()?.(), settle()) }
}

describe('long adds', () => {
  it('are at work two at a time, and take turns by user', async () => {
    const adds = new LongAdds()
    const { began, work, settle, endNext } = started()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) {
      void adds.run(of(name.charAt(0)), work(name), undefined)
    }
    await settle()
    expect(began).toEqual(['a1', 'a2'])
    for (let ended = 0; ended < 5; ended++) await endNext()
    expect(began).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'b2'])
  })

  it('that are given up do nothing, and leave their turn to the next', async () => {
    const adds = new LongAdds()
    const { began, work, settle, endNext } = started()
    const controller = new AbortController()
    const first = adds.run(of('a'), work('a1'), undefined)
    void adds.run(of('a'), work('a2'), undefined)
    const givenUp = adds.run(of('a'), work('a3'), controller.signal)
    void adds.run(of('a'), work('a4'), undefined)
    controller.abort()
    await expect(givenUp).rejects.toMatchObject({ outcome: 'not_accepted', code: 'ABORTED' })
    await endNext()
    expect(await first).toBe('a1')
    await settle()
    expect(began).toEqual(['a1', 'a2', 'a4'])
  })
})
