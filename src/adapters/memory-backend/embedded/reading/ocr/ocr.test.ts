import sharp, { type Sharp } from 'sharp'
import type { Block, Line } from 'tesseract.js'
import { describe, expect, it } from 'vitest'
import { looksLikeText } from './looks-like-text.ts'
import { missingOcrPackages } from './tesseract-data.ts'
import { tidyRecognised } from './tidy-recognised.ts'

async function judge(picture: Sharp): Promise<boolean> {
  const { data, info } = await picture
    .flatten({ background: 'white' })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return looksLikeText(data, info.width)
}

describe('looksLikeText', () => {
  it('knows print, also light on dark', async () => {
    expect(await judge(sharp('fixtures/files/text.png'))).toBe(true)
    expect(await judge(sharp('fixtures/files/text.png').negate({ alpha: false }))).toBe(true)
  })

  it('takes neither shapes nor anything soft or noisy for it', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const
    const create = { width: 300, height: 200, channels: 3, background: 'grey' } as const
    expect(await judge(sharp('tests/simple-multimodal-image.png'))).toBe(false)
    expect(await judge(sharp({ create: { ...create, noise } }))).toBe(false)
    expect(await judge(sharp({ create: { ...create, noise } }).blur(6))).toBe(false)
    expect(await judge(sharp({ create }))).toBe(false)
  })
})

describe('tidyRecognised', () => {
  const block = (...lines: [string, number][]) =>
    ({ paragraphs: [{ lines: lines.map(([text, confidence]) => ({ text, confidence }) as Line) }] }) as Block

  it('drops what was guessed, and blanks between Chinese characters', () => {
    const blocks = [
      block(['会 议 室 在 三 楼 ， 请 带 身份 证\n', 93], ['联系 人 : 李 雷\n', 89], ['oe =\n', 8]),
      block(['- |\n', 95]),
      block(['Room 3 在 三 楼\n', 80]),
    ]
    expect(tidyRecognised(blocks)).toBe('会议室在三楼，请带身份证\n联系人:李雷\n\nRoom 3 在三楼')
  })
})

it('names the packages that are missing', () => {
  expect(missingOcrPackages([])).toEqual([])
  expect(missingOcrPackages(['eng', 'chi_sim'])).toEqual([])
  expect(missingOcrPackages(['eng', 'xyz'])).toEqual(['@tesseract.js-data/xyz'])
})
