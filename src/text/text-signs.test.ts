import { expect, it } from 'vitest'
import { signsOf } from './text-signs.ts'

it.each([
  ['How are you?', 10],
  ['你好吗？', 10],
  ['I love it. Do you?', 4],
  ['真的吗？太好了', 6],
  ['All is well.', 0],
  ['', 0],
])('%s asks %i tenths', (text, asks) => expect(signsOf(text).asks).toBe(asks))

it.each(['I went yesterday.', 'since 2019', 'at 7 pm', 'two days ago', '上周去了', '三个月', '早上'])(
  '%s tells a time',
  (text) => {
    expect(signsOf(text).tellsTime).toBe(true)
  },
)

it.each(['I went there.', 'sunny daylight', '蓝色的'])('%s tells none', (text) =>
  expect(signsOf(text).tellsTime).toBe(false),
)

it('looks at the beginning of a long text only', () => {
  expect(signsOf(`${'All is well. '.repeat(1_000)}How?`.repeat(50))).toEqual({ asks: 0, tellsTime: false })
})
