import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerTooLargeError, readAnswer } from './read-answer.ts'

async function* chunked(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const piece = fc.constantFrom(
  '\\',
  '"',
  '\n',
  '\u0000',
  '猫',
  '😀',
  'n',
  'u0041',
  '{"a":',
  'A'.repeat(700),
  ' '.repeat(1500),
)
const content = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))

describe('readAnswer, shortened', () => {
  it('leaves valid JSON, and every string of moderate length as it was, however the chunks fall', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
        async (texts, sizes) => {
          const json = JSON.stringify(texts.flatMap((text, index) => [{ id: index, text }, index, `m_${index}`]))
          const parsed = JSON.parse(await readAnswer(chunked(json, sizes), 1_000_000, true))
          expect(parsed).toHaveLength(texts.length * 3)
          for (const [index, text] of texts.entries()) {
            expect(parsed[index * 3].id).toBe(index)
            if (JSON.stringify(text).length < 1_000) expect(parsed[index * 3].text).toBe(text)
            expect(parsed.slice(index * 3 + 1, index * 3 + 3)).toEqual([index, `m_${index}`])
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('makes a large answer small', async () => {
    const json = JSON.stringify([
      { base64: 'A'.repeat(3_000_000), text: 'a line of text\n"quoted" 猫\\'.repeat(100_000) },
      'end',
    ])
    const text = await readAnswer(chunked(json, [65_536]), 100_000, true)
    expect(JSON.parse(text).at(-1)).toBe('end')
  })

  it('refuses what is still too long', async () => {
    await expect(readAnswer(chunked('[1]'.repeat(100), [10]), 299, true)).rejects.toThrow(AnswerTooLargeError)
    await expect(readAnswer(chunked('[1]'.repeat(100), [10]), 300, false)).resolves.toHaveLength(300)
  })
})
