import { expect, it } from 'vitest'
import { rankTexts } from './rank-texts.ts'

const atOnce = async () => {}
const order = async (query: string, texts: string[]) =>
  (await rankTexts(query, texts, atOnce)).map(({ index }) => index)

it('ranks what has the rarer words, and more of them, first', async () => {
  const texts = ['The budget of the meeting', 'The meeting', 'The observatory has a budget', 'A walk in the wood']
  expect(await order('budget observatory', texts)).toEqual([2, 0])
  expect(await order('meetings', texts)).toEqual([1, 0])
  expect(await order('what is the', texts)).toEqual([])
  expect(await order('harbour', texts)).toEqual([])
  expect(await order('budget', [])).toEqual([])
})

it('finds Chinese, and keeps equal ones in their order', async () => {
  expect(await order('西湖跑步', ['我在西湖边跑步', '打印机坏了', '跑步很好'])).toEqual([0, 2])
  expect(await order('heron', ['A heron.', 'A heron.'])).toEqual([0, 1])
})

it('scores between 0 and 1, and says how much it read', async () => {
  let read = 0
  const ranked = await rankTexts('heron heron', ['heron heron heron', 'x'.repeat(100)], async (characters) => {
    read += characters
  })
  expect(ranked).toEqual([{ index: 0, score: expect.any(Number) }])
  expect(ranked[0]?.score).toBeGreaterThan(0)
  expect(ranked[0]?.score).toBeLessThan(1)
  expect(read).toBe(117)
})
