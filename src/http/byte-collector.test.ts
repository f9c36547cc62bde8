import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { ByteCollector } from './byte-collector.ts'

it('gives back what was added, however it was divided', () => {
  const body = new ByteCollector()
  expect(body.bytes()).toEqual(Buffer.alloc(0))
  const said = Buffer.from('abcdefghij'.repeat(700))
  for (let at = 0; at < 5_000; at++) body.add(said.subarray(at, at + 1))
  body.add(said.subarray(5_000))
  expect([body.size, body.bytes().equals(said), body.bytes().equals(said)]).toEqual([said.length, true, true])
  body.clear()
  body.add(said)
  expect(body.bytes()).toBe(said)
})

it('does not keep small chunks, but what is in them', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const body = new ByteCollector()
  const chunks = Array.from({ length: 10_000 }, () => {
    const chunk = Buffer.from('x')
    body.add(chunk)
    return new WeakRef(chunk)
  })
  // What a WeakRef was made of lives until the next turn of the loop.
  return new Promise((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage()
    expect(chunks.filter((chunk) => chunk.deref()).length).toBeLessThan(2_000)
    expect(body.size).toBe(10_000)
  })
})
