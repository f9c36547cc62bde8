import { convert, type DomNode, type FormatCallback } from 'html-to-text'
import { MOST_MARKUP } from '../limits.ts'

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

/** Readable text of a page: rows a line, cells apart, no addresses, nothing fetched. */
export function htmlText(html: string): string {
  return convert(html, {
    wordwrap: false,
    limits: { maxInputLength: MOST_MARKUP, maxDepth: 200, maxChildNodes: 20_000, ellipsis: '' },
    formatters: { cell },
    selectors: [
      { selector: 'a', options: { ignoreHref: true } },
      { selector: 'img', format: 'skip' },
      // The library's table layout makes room for any colspan that a page claims.
      { selector: 'table', format: 'block', options: { leadingLineBreaks: 2, trailingLineBreaks: 2 } },
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      { selector: 'td', format: 'cell' },
      { selector: 'th', format: 'cell' },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    ],
  }).replace(/ ?\| *$/gm, '')
}
