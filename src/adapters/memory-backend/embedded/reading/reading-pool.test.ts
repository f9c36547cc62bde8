import { describe, expect, it } from 'vitest'
import type { FileReading, ReadJob } from './file-reading.ts'
import { createReadingPool } from './reading-pool.ts'

const of = (senderId: string) => ({ projectId: 'p', senderId })
const file = (path: string): ReadJob => ({ path, kind: 'doc', ext: 'txt', size: 1, complete: true })
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Processes that answer when they are told to; `begun`: which of them has what. */
function slowProcesses() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  let made = 0
  let closed = 0
  const create = () => {
    const number = made++
    const run = ({ path }: ReadJob) => {
      begun.push(`${number} ${path}`)
      return new Promise<FileReading>((resolve) => ends.set(path, () => resolve({ sections: [] })))
    }
    return { run, close: async () => void closed++ }
  }
  const end = async (path: string) => (ends.get(path)?.(), settle())
  return { pool: createReadingPool(create), begun, end, closed: () => closed }
}

describe('processes that read files', () => {
  it("read one user's files one after another, and others' meanwhile", async () => {
    const { pool, begun, end } = slowProcesses()
    for (const path of ['a1', 'a2', 'a3', 'b1', 'c1']) void pool.run(of(path.charAt(0)), file(path))
    await settle()
    expect(begun).toEqual(['0 a1', '1 b1'])
    await end('b1')
    expect(begun).toEqual(['0 a1', '1 b1', '1 c1'])
    await end('c1')
    await end('a1')
    expect(begun).toEqual(['0 a1', '1 b1', '1 c1', '0 a2'])
  })

  it('are no more than are needed', async () => {
    const { pool, begun, end } = slowProcesses()
    for (const path of ['a1', 'b1', 'a2']) {
      const read = pool.run(of(path.charAt(0)), file(path))
      await settle()
      await end(path)
      expect(await read).toEqual({ sections: [] })
    }
    expect(begun).toEqual(['0 a1', '0 b1', '0 a2'])
  })

  it('are not waited for by whoever has given up', async () => {
    const { pool, begun, end } = slowProcesses()
    const giveUp = new AbortController()
    void pool.run(of('a'), file('a1'))
    const waiting = pool.run(of('a'), file('a2'), giveUp.signal)
    void pool.run(of('a'), file('a3'))
    giveUp.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    await end('a1')
    expect(begun).toEqual(['0 a1', '0 a3'])
  })

  it('are all closed', async () => {
    const { pool, closed } = slowProcesses()
    await pool.close()
    expect(closed()).toBe(2)
  })
})
