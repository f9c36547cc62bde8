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
