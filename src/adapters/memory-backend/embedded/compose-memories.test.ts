import { describe, expect, it } from 'vitest'
import type { EnginePart } from '../../../db/schema/engine-messages.ts'
import { composeMemories } from './compose-memories.ts'

const session = { projectId: 'p', senderId: 'u', sessionId: 's' }
const compose = (...parts: EnginePart[]) =>
  [...composeMemories(session, 7, { speaker: 'Ada', parts })].map(({ body, subject, kind, place }) => ({
    body,
    subject,
    kind,
    ...(place && { place }),
  }))

const report = { sha256: 'aa' }
const long = (word: string) => `The ${word} rose over the hill. `.repeat(30).trim()

describe('composeMemories', () => {
  it('keeps what a message says and its short files together, and pages apart', () => {
    expect(
      compose(
        { text: 'Here is the report.' },
        { text: 'note.txt\nshort', title: 'note.txt', place: { sha256: 'bb' } },
        { text: 'report.pdf, page 1\none', title: 'report.pdf', place: { ...report, page: 1 } },
        { text: 'report.pdf, page 3\nthree', title: 'report.pdf', place: { ...report, page: 3 } },
      ),
    ).toEqual([
      {
        body: 'Here is the report.\n\nnote.txt\nshort',
        subject: 'Here is the report.',
        kind: 'turn',
        place: { sha256: 'bb' },
      },
      { body: 'report.pdf, page 1\none', subject: 'report.pdf', kind: 'passage', place: { ...report, page: 1 } },
      { body: 'report.pdf, page 3\nthree', subject: 'report.pdf', kind: 'passage', place: { ...report, page: 3 } },
    ])
  })

  it('gives every part of a long page its place', () => {
    const place = { ...report, sheet: 'Plan' }
    const made = compose({ text: `${long('moon')}\n\n${long('comet')}`, title: 'plan.xlsx', place })
    expect(made.map((each) => each.place)).toEqual([place, place])
    expect(made.map(({ kind }) => kind)).toEqual(['passage', 'passage'])
  })

  it('keeps the sections of a long file apart from one another and from the message', () => {
    const made = compose(
      { text: 'Read this.' },
      { text: `guide.md\n${long('moon')}`, title: 'guide.md', place: report },
      { text: long('comet'), title: 'guide.md\nComets', place: report },
    )
    expect(made.map(({ body }) => body.slice(0, 13))).toEqual(['Read this.', 'guide.md\nThe ', 'The comet ros'])
    expect(made.map(({ place }) => place)).toEqual([undefined, report, report])
  })

  it('says of a file that is all of a message which it is, and cuts a long message', () => {
    expect(compose({ text: 'a.png\nImage', title: 'a.png', place: report })[0]?.place).toEqual(report)
    expect(compose({ text: `${long('moon')}\n\n${long('comet')}` }).map(({ kind }) => kind)).toEqual([
      'passage',
      'passage',
    ])
  })
})
