import { expect, it } from 'vitest'
import { analyseQuery } from './analyse-query.ts'

const analyse = (text: string) => analyseQuery({ text, askedAt: Date.UTC(2026, 5, 15) })
const words = (text: string) => analyse(text).terms.flatMap(({ term, kind }) => (kind === 'word' ? [term] : []))

it('leaves pointers to a time out of the words, and keeps dates', () => {
  expect(words('what did we cook last week')).toEqual(['cook'])
  expect(words('what did we cook in May 2023')).toEqual(['cook', '2023'])
  expect(analyse('what did we cook').periods).toEqual([])
  expect(analyse('上周做了什么菜').periods).toHaveLength(1)
})

it.each(['When did we cook?', 'How long did it cook?', '什么时候做饭', '哪天做饭', '做饭多久'])(
  '%s asks for a time',
  (text) => {
    expect(analyse(text).asksWhen).toBe(true)
  },
)

it('knows who is asked about', () => {
  expect(analyse('What is my blood type?').asksAboutSelf).toBe(true)
  expect(analyse('我的血型是什么').asksAboutSelf).toBe(true)
  expect(analyse('What did you tell me?').asksAboutSelf).toBe(false)
  expect(analyse('我们的血型').asksAboutSelf).toBe(false)
  expect(analyse('Which whenever?').asksWhen).toBe(false)
})

it.each([
  'What happened last week?',
  'what did I do yesterday',
  'What did we talk about on 8 May 2023?',
  'anything new today?',
  'Show me what was going on last month.',
  'in May 2023',
  '上周',
  '上周发生了什么？',
  '昨天我们聊了些什么',
  '上个月都干了些什么',
  '总结一下2023年5月',
])('%s asks for a time and nothing else', (text) => {
  expect(analyse(text).dates).toBeDefined()
})

it.each([
  'What happened?',
  'What did we cook last week?',
  'Who talked about boats yesterday?',
  '上周做了什么菜',
  '昨天的会议',
])('%s asks for something else', (text) => {
  expect(analyse(text).dates).toBeUndefined()
})

it('keeps the dates of a time as words to look for', () => {
  expect(analyse('what happened on 8 May 2023').dates?.map(({ term }) => term)).toEqual(['8', '2023'])
  expect(analyse('what happened last week').dates).toEqual([])
})
