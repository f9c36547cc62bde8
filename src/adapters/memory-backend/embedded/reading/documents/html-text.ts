import { convert } from 'html-to-text'

/** Readable text of a page: rows a line, cells apart, no addresses, nothing fetched. */
export function htmlText(html: string): string {
  const cell = { format: 'inlineSurround', options: { suffix: ' | ' } }
  return convert(html, {
    wordwrap: false,
    limits: { maxInputLength: html.length + 1, maxDepth: 200, maxChildNodes: 20_000, ellipsis: '' },
    selectors: [
      { selector: 'a', options: { ignoreHref: true } },
      { selector: 'img', format: 'skip' },
      // The library's table layout makes room for any colspan that a page claims.
      { selector: 'table', format: 'block', options: { leadingLineBreaks: 2, trailingLineBreaks: 2 } },
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      { selector: 'td', ...cell },
      { selector: 'th', ...cell },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    ],
  }).replace(/ \| *$/gm, '')
}
