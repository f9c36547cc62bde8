const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** The five entities of XML and numeric ones; others, which a document may define, stay as they are. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w{2,4}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED[String(name).toLowerCase()] ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : '�'
  })
}

export interface XmlPiece {
  readonly kind: 'open' | 'close' | 'text'
  /** Local name of the element, without its prefix; of the enclosing one for text. */
  readonly name: string
  /** Attributes as they are written, or the decoded text. */
  readonly value: string
}

// What is not closed goes on to the end, or to the next tag: to look for the end of each again takes time by the square.
const PIECE =
  /<!\[CDATA\[([\s\S]*?)(?:\]\]>|$)|<!--[\s\S]*?(?:-->|$)|<[?!][^>]*(?:>|$)|<(\/?)(?:[\w.-]+:)?([\w.-]+)((?:[^<>"']|"[^"<]*"|'[^'<]*')*?)(\/?)>|([^<]+)/g

/** Elements and text of well-formed XML in their order. Nothing that a document type declares is expanded. */
export function* xmlPieces(xml: string): Generator<XmlPiece> {
  const open: string[] = []
  for (const [, cdata, slash, name, attributes, empty, text] of xml.matchAll(PIECE)) {
    const enclosing = open.at(-1) ?? ''
    if (cdata !== undefined) yield { kind: 'text', name: enclosing, value: cdata }
    else if (text !== undefined) yield { kind: 'text', name: enclosing, value: decodeEntities(text) }
    else if (name !== undefined && slash === '/') {
      open.pop()
      yield { kind: 'close', name, value: '' }
    } else if (name !== undefined) {
      yield { kind: 'open', name, value: attributes ?? '' }
      if (empty === '/') yield { kind: 'close', name, value: '' }
      else open.push(name)
    }
  }
}

/** An attribute by its local name. */
export function xmlAttribute(attributes: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|[\\s:])${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes)
  const value = match?.[1] ?? match?.[2]
  return value === undefined ? undefined : decodeEntities(value)
}
