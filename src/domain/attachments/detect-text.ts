import { extname } from 'node:path'
import { type FileType, fileTypes } from './file-types.ts'

/** C0 controls that no text has. Tab, line ends, backspace, form feed and the escape of coloured logs are left. */
// oxlint-disable-next-line no-control-regex
const controls = /[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]/

/** The text of the head of a file, or undefined if it is not text. `complete`: the head is the whole file. */
export function decodeText(head: Buffer, complete: boolean): string | undefined {
  if (head.includes(0)) return undefined
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      // `stream` lets a character be cut in two at the end of the head.
      const text = new TextDecoder(encoding, { fatal: true }).decode(head, { stream: !complete })
      return controls.test(text) ? undefined : text
    } catch {
      // Not in this encoding.
    }
  }
  return undefined
}

/**
 * Markup and e-mail, which name their own encoding and so need not be decodable here. `head` is Latin-1: the marks are
 * ASCII in every encoding that is used for them.
 */
export function detectMarkup(head: string, name: string): FileType | undefined {
  const root = skipProlog(head)
  if (/^<(?:!doctype\s+svg|(?:svg:)?svg)[\s>/[]/i.test(root)) return fileTypes.svg
  if (/^<(?:!doctype\s+html|html|head|body|title|meta|script|style|iframe)[\s>/]/i.test(root)) return fileTypes.html
  // Markdown often opens with a fragment.
  if (!isMarkdown(name) && /^<(?:div|p|a|table|h[1-6]|font|b|br|ul|ol|img|span|section|article)[\s>/]/i.test(root)) {
    return fileTypes.html
  }
  return countMailHeaders(head) >= 3 ? fileTypes.eml : undefined
}

/** What else text can be. Of these only JSON shows in the content; the name decides between the rest. */
export function detectPlainText(text: string, complete: boolean, name: string): FileType {
  const extension = extname(name).toLowerCase()
  if (/^\s*[[{]/.test(text) && (complete ? isJson(text) : extension === '.json')) return fileTypes.json
  if (isMarkdown(name)) return fileTypes.md
  if (extension === '.csv') return fileTypes.csv
  if (extension === '.tsv') return fileTypes.tsv
  return fileTypes.txt
}

function isMarkdown(name: string): boolean {
  return ['.md', '.markdown'].includes(extname(name).toLowerCase())
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The start of the first element, or of a document type that tells what it is. */
function skipProlog(head: string): string {
  for (let position = 0; ; ) {
    position += /^\s*/.exec(head.slice(position, position + 1024))?.[0].length ?? 0
    const rest = head.slice(position, position + 64)
    const end = /^<!doctype\s+(?:html|svg)/i.test(rest) ? undefined : prologEnd(head, position)
    if (end === undefined) return rest
    position = end
  }
}

/** Where an XML declaration, comment or document type ends that starts here. */
function prologEnd(head: string, position: number): number | undefined {
  for (const [open, close] of [
    ['<?', '?>'],
    ['<!--', '-->'],
    ['<!', '>'],
  ] as const) {
    if (!head.startsWith(open, position)) continue
    const end = head.indexOf(close, position + open.length)
    return end === -1 ? undefined : end + close.length
  }
  return undefined
}

const mailHeaders = new Set([
  'from',
  'to',
  'cc',
  'bcc',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'received',
  'return-path',
  'reply-to',
  'sender',
  'delivered-to',
  'in-reply-to',
  'references',
  'content-type',
  'content-transfer-encoding',
  'dkim-signature',
])

/** How many well-known header lines stand before the first line that is none. */
function countMailHeaders(head: string): number {
  let count = 0
  for (const [index, line] of head.split(/\r?\n/, 200).entries()) {
    if (/^[ \t]/.test(line) && index > 0) continue
    if (index === 0 && line.startsWith('From ')) continue
    const field = /^([!-9;-~]{1,100}):/.exec(line)?.[1]
    if (!field) return count
    if (mailHeaders.has(field.toLowerCase())) count++
  }
  return count
}
