import { describe, expect, it } from 'vitest'
import type { Observation, Priority } from './log.ts'
import { observeByRules } from './observe-by-rules.ts'
import { reflectByRules } from './reflect-by-rules.ts'

const at = Date.parse('2026-05-03T14:05:00Z')
const message = (text: string, role: 'user' | 'assistant' | 'tool' = 'user', index = 0) => ({
  id: `${index}`,
  role,
  text,
  at: at + index * 60_000,
})

describe('observations by rules', () => {
  it('are what the user states and asks, with the time it was said, and nothing of the others', () => {
    const found = observeByRules([
      message('Hello!', 'user', 0),
      message('I am allergic to peanuts. Which bars can I eat?', 'user', 1),
      message('Your name is Bob and you live in Paris.', 'assistant', 2),
      message('Where is the nearest shop?', 'user', 3),
      message('{"shop":"I am a tool and I love tea"}', 'tool', 4),
    ])
    expect(found.map(({ date, time, text }) => [date, time, text])).toEqual([
      ['2026-05-03', '14:06', expect.stringContaining('allergic to peanuts')],
      ['2026-05-03', '14:08', 'User asked: Where is the nearest shop?'],
    ])
    expect(found[0]?.priority).not.toBe('low')
    expect(found[1]?.priority).toBe('low')
  })

  it('are found in Chinese', () => {
    const found = observeByRules([message('我住在上海，对花生过敏。'), message('最近的商店在哪里？', 'user', 1)])
    expect(found.map(({ text }) => text).join('\n')).toMatch(/上海[^]*User asked: 最近的商店在哪里？/)
  })

  it('are none of greetings', () => expect(observeByRules([message('Hi!'), message('Thanks a lot')])).toEqual([]))
})

describe('a reflection by rules', () => {
  const note = (text: string, priority: Priority): Observation => ({
    date: '2026-05-03',
    time: '14:05',
    priority,
    text,
    details: [],
  })
  const notes = [
    note('old low', 'low'),
    note('old high', 'high'),
    note('medium', 'medium'),
    note('new low', 'low'),
    note('new high', 'high'),
  ]
  const textsWithin = (tokens: number) => reflectByRules(notes, tokens).map(({ text }) => text)

  it('drops the oldest of the least important first', () => {
    const kept = Array.from({ length: 120 }, (_, tokens) => textsWithin(tokens))
    const stages = kept.filter((texts, index) => texts.length !== kept[index - 1]?.length).toReversed()
    expect(stages).toEqual([
      ['old low', 'old high', 'medium', 'new low', 'new high'],
      ['old high', 'medium', 'new low', 'new high'],
      ['old high', 'medium', 'new high'],
      ['old high', 'new high'],
      ['new high'],
      [],
    ])
  })
})
