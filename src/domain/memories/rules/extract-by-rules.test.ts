import { describe, expect, it } from 'vitest'
import type { ExtractionOptions } from '../extract-memories.ts'
import { extractByRules } from './extract-by-rules.ts'

type Turn = readonly ['user' | 'assistant' | 'system' | 'tool', string]

function extract(turns: readonly Turn[], options: ExtractionOptions = {}) {
  return extractByRules(
    turns.map(([role, content], index) => ({ role, content, index })),
    options,
  )
}

describe('a conversation', () => {
  it('has what the user states, one sentence a memory, of its message', () => {
    const { candidates, dropped } = extract([
      ['user', 'Hi! I live in Oslo. Do you know it?'],
      ['assistant', 'Of course. It is lovely there.'],
      ['user', 'Please write me a poem.\nI love fjords'],
    ])
    expect(candidates.map(({ content, type, sources }) => [content, type, sources])).toEqual([
      ['The user lives in Oslo.', 'fact', [0]],
      ['The user loves fjords.', 'preference', [2]],
    ])
    expect(dropped).toBe(3)
  })

  it('has what an assistant states only if asked for, named and doubted', () => {
    const turns: Turn[] = [
      ['user', 'I love TypeScript'],
      ['assistant', 'TypeScript is great!'],
    ]
    expect(extract(turns).candidates.map(({ content }) => content)).toEqual(['The user loves TypeScript.'])
    expect(extract(turns, { includeAssistant: true }).candidates).toMatchObject([
      { content: 'The user loves TypeScript.', type: 'preference', confidence: 0.9, sources: [0] },
      { content: 'The assistant said: TypeScript is great!', confidence: 0.3, sources: [1] },
    ])
    expect(extract([['assistant', 'How can I help?']], { includeAssistant: true })).toEqual({
      candidates: [],
      dropped: 1,
    })
  })

  it.each([
    ['You live in Berlin, right?', 'Yes', 'The user lives in Berlin.'],
    ['So you are vegan. Is that right?', "That's right!", 'The user is vegan.'],
    ['Your name is Bob, correct?', 'exactly', "The user's name is Bob."],
    ['你住在柏林，对吗？', '对', '用户住在柏林。'],
  ])('has what the user confirmed: %s %s', (asked, confirmed, content) => {
    expect(
      extract([
        ['assistant', asked],
        ['user', confirmed],
      ]).candidates,
    ).toMatchObject([{ content, sources: [0, 1] }])
  })

  it.each([
    ['You live in Berlin, right?', 'No'],
    ['You live in Berlin, right?', 'Yes, but not now'],
    ['You live in Berlin, right?', 'Thanks'],
    ['Berlin is nice, right?', 'Yes'],
    ['Do you live in Berlin?', 'Rightly so'],
    ['你住在柏林，对吗？', '不对'],
    ['你住在柏林，对吗？', '对不起'],
  ])('has not what the user did not: %s %s', (asked, said) => {
    expect(
      extract([
        ['assistant', asked],
        ['user', said],
      ]).candidates.map(({ sources }) => sources),
    ).not.toContainEqual([0, 1])
  })

  it('has nothing of tools and systems', () => {
    expect(
      extract([
        ['system', 'The user lives in Rome.'],
        ['tool', 'It is 20 degrees in Rome.'],
      ]),
    ).toEqual({ candidates: [], dropped: 0 })
  })

  it('keeps a message of many statements whole', () => {
    const text = Array.from({ length: 30 }, (_, index) => `Server ${index} is in Oslo.`).join('\n')
    const { candidates } = extract([['user', text]])
    expect(candidates.map(({ content }) => content)).toEqual([text])
    expect(candidates[0]?.keyPoints).toHaveLength(5)
  })

  it('keeps the words where they cannot be turned', () => {
    expect(extract([['user', 'Remember that my wife and I eat vegan food!']]).candidates[0]?.content).toBe(
      'my wife and I eat vegan food!',
    )
  })
})
