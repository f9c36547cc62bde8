import { describe, expect, it } from 'vitest'
import { type PdfTextItem, pdfPageText } from './pdf-page-text.ts'

/** Runs of a page, each a line at a height from the bottom, unless it is followed by more on its line. */
function item(str: string, y: number, more: Partial<PdfTextItem> = {}): PdfTextItem {
  return {
    str,
    hasEOL: true,
    width: 10 * str.length,
    height: str.trim() === '' ? 0 : 12,
    transform: [1, 0, 0, 1, 0, y],
    ...more,
  }
}

describe('pdfPageText', () => {
  it('makes words whole that a line cuts, and leaves other hyphens', () => {
    const lines = ['The exam-', 'ple of Anne-', 'Marie is well-', '7 known', 'soft\u00ad', 'ware in the o\ufb03ce']
    expect(pdfPageText(lines.map((line, index) => item(line, 100 - index * 14)))).toBe(
      'The example of Anne-\nMarie is well-\n7 known\nsoftware in the office',
    )
  })

  it('makes sentences whole that have no spaces, where their line was full', () => {
    const lines = ['第一章', '渡轮码头在十月重新', '开放。']
    expect(pdfPageText(lines.map((line, index) => item(line, 100 - index * 14)))).toBe(
      '第一章\n渡轮码头在十月重新开放。',
    )
  })

  it('keeps paragraphs and columns apart', () => {
    const items = [
      item('tea', 100, { hasEOL: false }),
      item(' ', 100, { hasEOL: false, width: 80 }),
      item('3.50', 100),
      item('bread', 86, { hasEOL: false }),
      item(' ', 86, { hasEOL: false, width: 4 }),
      item('rolls', 86),
      item('Thanks', 40),
    ]
    expect(pdfPageText(items)).toBe('tea | 3.50\nbread rolls\n\nThanks')
  })

  it('takes what is on no line', () => {
    expect(pdfPageText([])).toBe('')
    expect(pdfPageText([item('alone', 1, { hasEOL: false })])).toBe('alone')
  })
})
