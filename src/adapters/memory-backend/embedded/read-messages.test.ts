import { describe, expect, it } from 'vitest'
import type { BackendFile, BackendMessage } from '../../../ports/memory-backend.ts'
import { FileTurns, readMessages } from './read-messages.ts'

const of = (senderId: string) => ({ projectId: 'p', senderId })
const settle = () => new Promise((resolve) => setImmediate(resolve))

function message(names: readonly string[], kind: BackendFile['kind'] = 'doc'): BackendMessage {
  const files = names.map((name) => ({ name, kind, size: 1 }) as BackendFile)
  const items = files.map((file) => ({ type: 'file', file }) as const)
  return { role: 'user', senderId: 'u', senderName: 'Ada', timestamp: 1, items }
}

/** Readers and describers that answer when they are told to. */
function slowFiles() {
  const [read, described]: [Map<string, () => void>, Map<string, () => void>] = [new Map(), new Map()]
  const reader = {
    read: (file: BackendFile) =>
      new Promise<[{ text: string }]>((resolve) => read.set(file.name, () => resolve([{ text: file.name }]))),
    close: async () => {},
  }
  const describer = {
    mayDescribe: ({ kind }: BackendFile) => kind === 'image',
    describe: (file: BackendFile) => new Promise<string>((resolve) => described.set(file.name, () => resolve('a cat'))),
  }
  return { read, described, context: { reader, describer, fileTurns: new FileTurns() } }
}

describe('reading the files of messages', () => {
  it('reads those of few adds at a time, and waits with the others before it has read anything', async () => {
    const { read, context } = slowFiles()
    const users = Array.from({ length: 50 }, (_, index) => `u${index}`)
    const all = users.map((user) => readMessages(context, of(user), [message([user])], undefined))
    await settle()
    expect(read.size).toBe(32)
    for (const user of users.slice(0, 10)) read.get(user)?.()
    const first = await all[0]
    await settle()
    // What was read is still held.
    expect(read.size).toBe(32)
    first?.end()
    await settle()
    expect([...read.keys()].at(-1)).toBe('u32')
  })

  it("leaves room for others beside one user's many files", async () => {
    const { read, context } = slowFiles()
    for (let number = 0; number < 100; number++)
      void readMessages(context, of('a'), [message([`a${number}`])], undefined)
    void readMessages(context, of('b'), [message(['b1', 'b2'])], undefined)
    await settle()
    expect(read.size).toBe(9)
    expect(read.has('b1')).toBe(true)
  })

  it('takes no turn to read while a model looks at a picture, or does not answer', async () => {
    const { read, described, context } = slowFiles()
    const pictures = Array.from({ length: 100 }, (_, index) => `p${index}`)
    for (const name of pictures) void readMessages(context, of(name), [message([name], 'image')], undefined)
    await settle()
    expect(described.size).toBe(16)
    void readMessages(context, of('a'), [message(['a text'])], undefined)
    await settle()
    expect([...read.keys()]).toEqual(['a text'])
    described.get('p3')?.()
    await settle()
    expect([...read.keys()]).toEqual(['a text', 'p3'])
    expect(described.size).toBe(17)
  })

  it('says what a model saw behind what was read', async () => {
    const { read, described, context } = slowFiles()
    const reading = readMessages(context, of('a'), [message(['photo'], 'image')], undefined)
    await settle()
    described.get('photo')?.()
    await settle()
    read.get('photo')?.()
    expect((await reading).read[0]?.content.parts).toEqual([{ text: 'photo\na cat' }])
  })

  it('gives its turn back when a file cannot be read', async () => {
    const { context } = slowFiles()
    const broken = { ...context, reader: { ...context.reader, read: () => Promise.reject(new Error('away')) } }
    for (let number = 0; number < 40; number++)
      await expect(readMessages(broken, of('a'), [message(['x'])], undefined)).rejects.toThrow('away')
  })

  it('of messages without files does not wait', async () => {
    const { context } = slowFiles()
    for (let number = 0; number < 40; number++)
      void readMessages(context, of(`u${number}`), [message([`f${number}`])], undefined)
    const said: BackendMessage = { ...message([]), items: [{ type: 'text', text: 'Hello.' }] }
    expect((await readMessages(context, of('a'), [said], undefined)).read[0]?.content.parts).toEqual([
      { text: 'Hello.' },
    ])
  })
})
