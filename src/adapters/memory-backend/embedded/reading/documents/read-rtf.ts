import { readFile } from 'node:fs/promises'
import type { FileReading, ReadJob } from '../file-reading.ts'

/** Groups that hold no text of the document. */
const HIDDEN = new Set(
  'fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator pict object objdata themedata colorschememapping datastore latentstyles xmlnstbl info filetbl revtbl header footer headerl headerr headerf footerl footerr footerf fldinst bkmkstart bkmkend nonshppict'.split(
    ' ',
  ),
)
const BREAKS: Readonly<Record<string, string>> = {
  par: '\n',
  line: '\n',
  sect: '\n\n',
  page: '\n\n',
  row: '\n',
  cell: ' | ',
  tab: '\t',
}
const SIGNS: Readonly<Record<string, string>> = {
  emdash: '—',
  endash: '–',
  bullet: '•',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  emspace: ' ',
  enspace: ' ',
  '~': ' ',
  _: '-',
}
const CODE_PAGES: Readonly<Record<number, string>> = {
  932: 'shift_jis',
  936: 'gbk',
  949: 'euc-kr',
  950: 'big5',
  65001: 'utf-8',
  10000: 'macintosh',
}
const CHARSETS: Readonly<Record<number, number>> = {
  128: 932,
  129: 949,
  134: 936,
  136: 950,
  161: 1253,
  162: 1254,
  177: 1255,
  178: 1256,
  186: 1257,
  204: 1251,
  238: 1250,
}

const TOKEN = /\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-f]{2})|\\([^a-z])|([{}])|([^\\{}]+)/gi
const MOST_GROUPS = 1_000
const INFO_LENGTH = 2_000
const TITLE = /\{\\title ([^{}\\]{1,200})\}/

interface Group {
  hidden: boolean
  /** Bytes that stand in for one `\u` character, for readers that know no Unicode. */
  fallback: number
  codePage: number
}

function decodeBytes(bytes: readonly number[], codePage: number): string {
  const label = CODE_PAGES[codePage] ?? (codePage >= 1250 && codePage <= 1258 ? `windows-${codePage}` : 'windows-1252')
  return new TextDecoder(label).decode(Uint8Array.from(bytes))
}

/** Reads the code pages of the fonts, which decide how the bytes of a text set in them are meant. */
function fontCodePages(rtf: string): Map<number, number> {
  const pages = new Map<number, number>()
  for (const [, font, charset] of rtf.matchAll(/\{\\f(\d{1,5})[^{};]{0,200}\\fcharset(\d{1,3})/g)) {
    const page = CHARSETS[Number(charset)]
    if (page !== undefined) pages.set(Number(font), page)
  }
  return pages
}

class RtfText {
  text = ''
  #groups: Group[] = [{ hidden: false, fallback: 1, codePage: 1252 }]
  #group: Group = { hidden: false, fallback: 1, codePage: 1252 }
  #bytes: number[] = []
  #skip = 0
  readonly #fonts: Map<number, number>

  constructor(fonts: Map<number, number>) {
    this.#fonts = fonts
  }

  /** Bytes are decoded together: a Chinese character is two of them. */
  flush(): void {
    if (this.#bytes.length === 0) return
    this.text += decodeBytes(this.#bytes, this.#group.codePage)
    this.#bytes = []
  }

  write(text: string): void {
    this.flush()
    if (!this.#group.hidden) this.text += text
  }

  byte(value: number): void {
    if (this.#skip > 0) this.#skip--
    else if (!this.#group.hidden) this.#bytes.push(value)
  }

  plain(text: string): void {
    const shown = text.replace(/[\r\n]/g, '')
    const skipped = Math.min(this.#skip, shown.length)
    this.#skip -= skipped
    for (let index = skipped; index < shown.length; index++) {
      const code = shown.charCodeAt(index)
      if (code < 0x80 && this.#bytes.length === 0) {
        this.write(shown.slice(index))
        return
      }
      this.byte(code)
    }
  }

  brace(open: boolean): void {
    this.flush()
    this.#skip = 0
    if (open && this.#groups.length < MOST_GROUPS) this.#groups.push({ ...this.#group })
    else if (!open) this.#group = this.#groups.pop() ?? this.#group
  }

  control(word: string, parameter: number | undefined): void {
    if (word !== 'u') this.flush()
    if (HIDDEN.has(word)) this.#group.hidden = true
    else if (word === 'uc') this.#group.fallback = parameter ?? 1
    else if (word === 'ansicpg') this.#group.codePage = parameter ?? 1252
    else if (word === 'f') this.#group.codePage = this.#fonts.get(parameter ?? -1) ?? this.#group.codePage
    else if (word === 'u' && parameter !== undefined) {
      this.write(String.fromCharCode(parameter & 0xffff))
      this.#skip = this.#group.fallback
    } else this.write(BREAKS[word] ?? SIGNS[word] ?? '')
  }

  sign(character: string): void {
    if (character === '*') this.#group.hidden = true
    else if ('\\{}'.includes(character)) this.write(character)
    else if (character === '\n' || character === '\r') this.write('\n')
    else this.write(SIGNS[character] ?? '')
  }
}

/** The running text of an RTF document; pictures, styles and page furniture left out. */
export function rtfText(rtf: string): string {
  const reader = new RtfText(fontCodePages(rtf))
  for (const [, word, parameter, hex, sign, brace, plain] of rtf.matchAll(TOKEN)) {
    if (word !== undefined) reader.control(word, parameter === undefined ? undefined : Number(parameter))
    else if (hex !== undefined) reader.byte(Number.parseInt(hex, 16))
    else if (sign !== undefined) reader.sign(sign)
    else if (brace !== undefined) reader.brace(brace === '{')
    else if (plain !== undefined) reader.plain(plain)
  }
  reader.flush()
  return reader.text
}

export async function readRtf({ path }: ReadJob): Promise<FileReading> {
  const rtf = (await readFile(path)).toString('latin1')
  const info = rtf.indexOf('{\\info')
  const title = info === -1 ? undefined : TITLE.exec(rtf.slice(info, info + INFO_LENGTH))?.[1]
  return { sections: [{ text: rtfText(rtf) }], ...(title !== undefined && { title }) }
}
