import { expect, it } from 'vitest'
import { cleanText, cutText, tidyText } from './clean-text.ts'

it('makes text fit for the database', () => {
  expect(cleanText('a\u0000b\r\nc\rd\ud800e\tf')).toBe('a b\nc\nd\ufffde\tf')
  expect(tidyText('  a  \n\n\n\n b \n')).toBe('a\n\n b')
})

it('does not choke on a long line of blanks', () => {
  const text = `a${' '.repeat(1_000_000)}b${'\t'.repeat(1_000_000)}`
  expect(tidyText(text)).toBe(text.trimEnd())
})

it('cuts between characters', () => {
  expect(cutText('a😀b', 2)).toBe('a')
  expect(cutText('a😀b', 3)).toBe('a😀')
  expect(cutText('abc', 3)).toBe('abc')
})
