import { describe, expect, it } from 'vitest'
import { Turns } from './turns.ts'

const of = (senderId: string) => ({ projectId: 'p', senderId })
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Turns by name, each of which ends when it is told to, and the order in which they began. */
function taking(turns: Turns) {
  const began: string[] = []
  const ends = new Map<string, () => void>()
  const take = (name: string, weight?: number, signal?: AbortSignal) =>
    turns.begin(of(name.charAt(0)), signal, weight).then((end) => {
      began.push(name)
      ends.set(name, end)
    })
  const end = async (name: string) => (ends.get(name)?.(), settle())
  return { began, take, end }
}

describe('turns', () => {
  it('are no more than the limit, and go round by user', async () => {
    const { began, take, end } = taking(new Turns({ most: 2 }))
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1']) void take(name)
    await settle()
    expect(began).toEqual(['a1', 'a2'])
    for (const name of ['a1', 'a2', 'a3', 'b1']) await end(name)
    expect(began).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4'])
  })

  it('of one user leave room for others, however many they want', async () => {
    const { began, take, end } = taking(new Turns({ most: 4, mostOfOne: 2 }))
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'c1']) void take(name)
    await settle()
    expect(began).toEqual(['a1', 'a2', 'b1', 'b2'])
    await end('a1')
    expect(began.slice(4)).toEqual(['a3'])
    await end('a3')
    await end('a2')
    expect(began.slice(4)).toEqual(['a3', 'c1', 'a4'])
  })

  it('count by weight, and a heavy one is not overtaken for ever', async () => {
    const { began, take, end } = taking(new Turns({ most: 4, mostOfOne: 3 }))
    for (const [name, weight] of [
      ['a1', 1],
      ['b1', 2],
      ['c1', 2],
      ['d1', 1],
      ['e1', 100],
    ] as const)
      void take(name, weight)
    await settle()
    expect(began).toEqual(['a1', 'b1'])
    await end('a1')
    expect(began).toEqual(['a1', 'b1', 'c1'])
    await end('b1')
    expect(began).toEqual(['a1', 'b1', 'c1', 'd1'])
    await end('c1')
    expect(began).toEqual(['a1', 'b1', 'c1', 'd1', 'e1'])
    void take('f1')
    await end('d1')
    expect(began).toEqual(['a1', 'b1', 'c1', 'd1', 'e1', 'f1'])
  })

  it('that are given up leave, and let others pass whom they kept waiting', async () => {
    const { began, take, end } = taking(new Turns({ most: 3 }))
    const controller = new AbortController()
    void take('a1', 2)
    const heavy = take('b1', 3, controller.signal)
    void take('c1')
    await settle()
    expect(began).toEqual(['a1'])
    controller.abort()
    await expect(heavy).rejects.toMatchObject({ outcome: 'not_accepted', code: 'ABORTED' })
    expect(began).toEqual(['a1', 'c1'])
    await expect(take('d1', 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
    await end('a1')
    void take('e1', 2)
    await settle()
    expect(began).toEqual(['a1', 'c1', 'e1'])
  })

  it('end once', async () => {
    const { began, take, end } = taking(new Turns({ most: 1 }))
    for (const name of ['a1', 'b1', 'c1']) void take(name)
    await settle()
    await end('a1')
    await end('a1')
    expect(began).toEqual(['a1', 'b1'])
  })

  it('end with what fails', async () => {
    const turns = new Turns({ most: 1 })
    const fail = () => Promise.reject(new Error('away'))
    for (const user of ['a', 'b']) await expect(turns.run(of(user), fail, undefined)).rejects.toThrow('away')
    expect(await turns.run(of('c'), async () => 'done', undefined)).toBe('done')
  })
})
