import { convert, type DomNode, type FormatCallback, type SelectorDefinition } from 'html-to-text'
import type { FileSection } from '../file-reading.ts'
import { MOST_MARKUP } from '../limits.ts'
import { headingSections } from './heading-sections.ts'

/** What a cell says, on one line, whatever blocks it is made of. */
function lineOf({ type, data, name, children }: DomNode): string {
  if (type === 'text') return data ?? ''
  if (name === 'script' || name === 'style') return ''
  const line = (children ?? []).map(lineOf).join('')
  return /^(?:p|div|br|li|tr|td|th|h[1-6])$/.test(name ?? '') ? ` ${line} ` : line
}

const cell: FormatCallback = (element, _walk, builder) => {
  builder.addInline(`${(element.children ?? []).map(lineOf).join('').replace(/\s+/g, ' ').trim()} | `)
}

/** Stands before a heading, with its level; taken out of what a page itself says. */
const MARK = '\u0002'

const markedHeading: FormatCallback = (element, walk, builder) => {
  builder.openBlock({ leadingLineBreaks: 2 })
  builder.addInline(`${MARK}${element.name?.slice(1)}${MARK}`)
  walk(element.children, builder)
  builder.closeBlock({ trailingLineBreaks: 2 })
}

const MARKED = new RegExp(`^\\s*${MARK}([1-6])${MARK}\\s*(\\S.*)`)

/** A page by its headings. */
export function htmlSections(html: string): FileSection[] {
  const text = convertPage(html, { format: 'markedHeading' })
  return headingSections(text.split('\n'), (line) => {
    const [, level, said] = MARKED.exec(line) ?? []
    return level && said ? { level: Number(level), heading: said } : undefined
  })
}

/** Readable text of a page: rows a line, cells apart, no addresses, nothing fetched. */
export function htmlText(html: string): string {
  return convertPage(html, { options: { uppercase: false } })
}

function convertPage(html: string, headings: Partial<SelectorDefinition>): string {
  return convert(html.replaceAll(MARK, ' '), {
    wordwrap: false,
    limits: { maxInputLength: MOST_MARKUP, maxDepth: 200, maxChildNodes: 20_000, ellipsis: '' },
    formatters: { cell, markedHeading },
    selectors: [
      { selector: 'a', options: { ignoreHref: true } },
      { selector: 'img', format: 'skip' },
      // The library's table layout makes room for any colspan that a page claims.
      { selector: 'table', format: 'block', options: { leadingLineBreaks: 2, trailingLineBreaks: 2 } },
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      { selector: 'td', format: 'cell' },
      { selector: 'th', format: 'cell' },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, ...headings })),
    ],
  }).replace(/ ?\| *$/gm, '')
}
