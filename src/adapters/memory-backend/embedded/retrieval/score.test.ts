import { describe, expect, it } from 'vitest'
import { signsOf } from '../../../../text/text-signs.ts'
import { documentTerms } from '../../../../text/tokenise.ts'
import { textVector } from '../text/text-vector.ts'
import { analyseQuery } from './analyse-query.ts'
import { arrangeNeighbours } from './neighbours.ts'
import type { FoundMemory } from './queries.ts'
import { type Surroundings, scoreMemories } from './score.ts'

const askedAt = Date.UTC(2026, 5, 15)

interface Given extends Partial<FoundMemory> {
  readonly title?: string
  readonly speaker?: string
}

function memory(id: string, text: string, { title = '', speaker = '', ...rest }: Given = {}): FoundMemory {
  const body = documentTerms(text)
  const fields = { title: documentTerms(title), speaker: documentTerms(speaker), body }
  const vector = textVector(['=p'], fields, signsOf(text))
  return { id, sessionId: 's', timestamp: 1, passage: 0, kind: 'turn', role: 'user', length: 10, vector, ...rest }
}

const talk = (...texts: readonly (readonly [string, string])[]) =>
  texts.map(([id, text], index) => memory(id, text, { timestamp: index + 1 }))

function rank(question: string, memories: readonly FoundMemory[], around: Partial<Surroundings> = {}) {
  const query = analyseQuery({ text: question, askedAt })
  const given = { documents: 1_000, holders: query.terms.map(() => 5), names: new Set<string>(), ...around }
  return scoreMemories(query, memories, arrangeNeighbours(memories, memories), given)
}

const order = (...given: Parameters<typeof rank>) => rank(...given).map(({ id }) => id)
const apart = (...memories: FoundMemory[]) => memories.map((each) => ({ ...each, sessionId: each.id }))

describe('words', () => {
  it('puts the rarer term before the more frequent one', () => {
    const memories = apart(memory('common', 'budget budget budget'), memory('rare', 'observatory'))
    expect(order('budget observatory', memories, { holders: [300, 3] })).toEqual(['rare', 'common'])
  })

  it('gives a single character less than a word', () => {
    expect(order('蓝色', apart(memory('character', '蓝天'), memory('word', '蓝色')))).toEqual(['word', 'character'])
  })

  it('prefers the shorter, and what has it in the title', () => {
    const long = memory('long', 'budget', { length: 200 })
    expect(order('budget', apart(long, memory('short', 'budget')))).toEqual(['short', 'long'])
    const titled = memory('titled', '', { title: 'budget' })
    expect(order('budget', apart(memory('body', 'budget'), titled))).toEqual(['titled', 'body'])
  })

  it('prefers words that stand next to each other, in that order', () => {
    const memories = apart(
      memory('apart', 'garden of the red fox and a wall'),
      memory('pair', 'a wall of the garden, red fox'),
    )
    expect(order('garden wall', memories, {})).toHaveLength(2)
    expect(order('red wall', apart(memory('b', 'wall red'), memory('a', 'red wall')))).toEqual(['a', 'b'])
  })

  it('breaks ties by time, then id', () => {
    const same = apart(memory('b', 'budget'), memory('a', 'budget'), memory('new', 'budget', { timestamp: 2 }))
    expect(order('budget', same)).toEqual(['new', 'a', 'b'])
    expect(order('budget', same.toReversed())).toEqual(['new', 'a', 'b'])
  })

  it('scores between 0 and 1, about a half for every term once', () => {
    const [all] = rank('budget observatory', apart(memory('all', 'The budget, and the big white observatory')))
    expect(all?.score).toBeGreaterThan(0.4)
    expect(all?.score).toBeLessThan(0.6)
    const [much] = rank('budget observatory', apart(memory('much', 'budget observatory '.repeat(99))))
    expect(much?.score).toBeGreaterThan(all?.score ?? 1)
    expect(much?.score).toBeLessThan(1)
    expect(rank('budget', apart(memory('none', 'nothing')))).toEqual([])
  })
})

describe('messages nearby', () => {
  it('count, the nearer the more', () => {
    const memories = [
      ...talk(
        ['far', 'The kettle sings.'],
        ['two', 'Well now.'],
        ['one', 'So it goes.'],
        ['it', 'A kettle, for grandmother.'],
      ),
      memory('alone', 'The kettle sings.', { sessionId: 'other' }),
    ]
    const ranked = rank('kettle grandmother', memories)
    expect(ranked.map(({ id }) => id)).toEqual(['it', 'far', 'alone'])
    expect(ranked.find(({ id }) => id === 'alone')?.parts.context).toBe(0)
  })

  it('lets an answer in that shares no word with the query, but nothing else', () => {
    const memories = talk(['asked', 'Where is the kettle?'], ['answer', 'In the cellar.'], ['more', 'Behind the wine.'])
    expect(order('kettle', memories).toSorted()).toEqual(['answer', 'asked'])
    expect(order('kettle', talk(['said', 'The kettle broke.'], ['next', 'In the cellar.']))).toEqual(['said'])
  })
})

describe('factors', () => {
  it('prefer who is named, and words over the name', () => {
    const names = new Set(['ada'])
    const memories = apart(
      memory('hers', 'a red kite', { speaker: 'Ada' }),
      memory('his', 'a red kite', { speaker: 'Bob' }),
      memory('to her', 'Ada, hello', { speaker: 'Bob' }),
    )
    expect(order('Ada kite', memories, { names })).toEqual(['hers', 'his', 'to her'])
    expect(order('kite', memories).slice(0, 2)).toEqual(['hers', 'his'])
  })

  it('prefer the one who asks where they ask about themselves', () => {
    const memories = apart(memory('a', 'a red kite', { role: 'assistant' }), memory('u', 'a red kite'))
    expect(order('Where is my kite?', memories)).toEqual(['u', 'a'])
    expect(
      order('我的风筝在哪里', apart(memory('a', '风筝在家', { role: 'assistant' }), memory('u', '风筝在家'))),
    ).toEqual(['u', 'a'])
    expect(order('Where did you put my kite?', memories)).toEqual(['a', 'u'])
  })

  it('prefer what tells a time where one is asked for', () => {
    const memories = apart(memory('a', 'I fly my kite here'), memory('b', 'I fly my kite since Monday'))
    expect(order('When did he fly a kite?', memories)).toEqual(['b', 'a'])
    expect(order('Who can fly a kite?', memories)).toEqual(['a', 'b'])
  })

  it('prefer the times that the question speaks of', () => {
    const memories = apart(
      memory('now', 'the kite is torn', { timestamp: Date.UTC(2026, 5, 14) }),
      memory('then', 'the kite is torn', { timestamp: Date.UTC(2026, 4, 20) }),
    )
    expect(order('kite', memories)).toEqual(['now', 'then'])
    expect(order('the kite last month', memories)).toEqual(['then', 'now'])
  })

  it('damp what only asks', () => {
    const memories = apart(memory('asks', 'Is the kite torn?'), memory('says', 'That kite is torn, all of it'))
    expect(order('torn kite', memories)).toEqual(['says', 'asks'])
  })
})

it('explains every score by its parts', () => {
  const memories = [
    ...talk(
      ['q', 'When did Ada fly the kite?'],
      ['a', 'Yesterday, at the beach with the red kite.'],
      ['b', 'Nice kite!'],
    ),
    memory('c', 'A kite in a tree. Is it a red kite?', { sessionId: 'other', speaker: 'Ada' }),
  ]
  const ranked = rank('When did Ada fly the red kite last week?', memories, { names: new Set(['ada']) })
  expect(ranked.length).toBeGreaterThan(3)
  for (const { score, parts } of ranked) {
    const { words = 0, context = 0, pairs = 0, ...factors } = parts
    const product = Object.values(factors).reduce((all, factor) => all * factor, 1)
    expect((words + context + pairs) * product).toBeCloseTo(score, 10)
    for (const part of Object.values(parts)) expect(part).toBeGreaterThanOrEqual(0)
    for (const factor of Object.values(factors)) expect(factor).toBeLessThanOrEqual(1)
  }
})
