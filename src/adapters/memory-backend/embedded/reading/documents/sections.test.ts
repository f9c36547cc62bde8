import { describe, expect, it } from 'vitest'
import { cellFormats, showNumber } from './cell-formats.ts'
import { htmlSections } from './html-text.ts'
import { markdownSections } from './markdown-sections.ts'
import { tableSections } from './table-sections.ts'

const prose = 'They walked along the river and talked about the weather. '.repeat(12).trim()

describe('headings', () => {
  it('leave a short text whole', () => {
    expect(markdownSections('# Title\n\ntext\n\n## Part\nmore')).toEqual([{ text: '# Title\n\ntext\n\n## Part\nmore' }])
    expect(htmlSections('<p>before</p><h1>Title</h1><p>text</p>')).toEqual([{ text: 'before\n\nTitle\n\ntext' }])
  })

  it('divide a long one, each section under those above it, small ones together with what follows', () => {
    const text = `# Guide\n\n## Rivers ##\n${prose}\n\n### Boats\n${prose}\n\n## Tea\n${prose}\n~~~\n# no heading\n~~~`
    expect(markdownSections(text).map(({ heading, text: said }) => [heading, said.split('\n')[0]])).toEqual([
      ['Guide › Rivers', '# Guide'],
      ['Guide › Rivers › Boats', '### Boats'],
      ['Guide › Tea', '## Tea'],
    ])
  })

  it('are found in a page', () => {
    const html = `<h2>Rivers <em>and</em>\n lakes</h2><p>${prose}</p><div><h3>Boats</h3></div><p>${prose}</p>\u00021\u0002no`
    expect(htmlSections(html).map(({ heading }) => heading)).toEqual(['Rivers and lakes', 'Rivers and lakes › Boats'])
  })

  it.each(['# a ', '#', '# ', '<h1>', '<h1', '\n# a\n', '~~~\n'])('do not choke on "%s" without end', (unit) => {
    const text = unit.repeat(300_000 / unit.length)
    expect(markdownSections(text).length + htmlSections(text).length).toBeGreaterThanOrEqual(0)
  })
})

describe('tables', () => {
  it('repeat their header in every group of rows', () => {
    const rows = Array.from({ length: 100 }, (_, index) => [`item ${index}`, `${index}.50`, 'a remark on it'])
    const sections = tableSections([['Stock'], ['name', 'price', 'remark'], ...rows], { sheet: 'S' })
    expect(sections.length).toBeGreaterThan(2)
    expect(sections[0]?.text.startsWith('Stock\nname | price | remark\nitem 0 | 0.50')).toBe(true)
    for (const { text, sheet } of sections.slice(1)) {
      expect(sheet).toBe('S')
      expect(text.startsWith('name | price | remark\nitem ')).toBe(true)
      expect(text.length).toBeLessThanOrEqual(1_050)
    }
    expect(sections.flatMap(({ text }) => text.match(/item \d+/g) ?? [])).toHaveLength(100)
  })

  it('take a row of numbers for no header', () => {
    const rows = Array.from({ length: 200 }, (_, index) => [`${index}`, `${index * 2}`])
    for (const { text } of tableSections(rows).slice(1)) expect(text.startsWith('0 | 0')).toBe(false)
  })

  it('show dates, times and shares as such', () => {
    const styles =
      '<styleSheet><numFmts><numFmt numFmtId="170" formatCode="yyyy\\年m&quot;d&quot;"/><numFmt numFmtId="171" formatCode="&quot;days&quot; 0"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/><xf numFmtId="9"/><xf numFmtId="20"/></cellXfs></styleSheet>'
    expect(cellFormats(styles)).toEqual(['number', 'date', 'date', 'number', 'percent', 'time'])
    expect(showNumber('45413', 'date', false)).toBe('2024-05-01')
    expect(showNumber('45413.75', 'date', false)).toBe('2024-05-01 18:00')
    expect(showNumber('0.3125', 'time', false)).toBe('07:30')
    expect(showNumber('0.15', 'percent', false)).toBe('15%')
    expect(showNumber('0', 'date', true)).toBe('1904-01-01')
    expect(showNumber('0.1000000000000000055', 'number', false)).toBe('0.1')
    expect(showNumber('1e300', 'date', false)).toBe('1e+300')
  })
})
