import { stem } from './stem.ts'
import { ENGLISH_STOP_WORDS, HAN_STOP_CHARACTERS, HAN_STOP_WORDS } from './stop-words.ts'

/** `character`: a single Han character, worth less than a word or a pair of characters. */
export type TermKind = 'word' | 'character'

export interface Term {
  readonly term: string
  readonly kind: TermKind
}

/** Longer ones are cut: PostgreSQL refuses lexemes of 2 KB. */
const LONGEST_TERM = 64
const LONGEST_QUERY = 4_000
const MOST_QUERY_TERMS = 64

const KANA = String.raw`\p{Script=Hiragana}\p{Script=Katakana}ー`
const HANGUL = String.raw`\p{Script=Hangul}`
/** Written without spaces, as Han and kana are. */
const SOUTH_EAST_ASIAN = String.raw`\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`
const LETTER = String.raw`[[\p{L}\p{M}\p{N}_]--[\p{Script=Han}${KANA}${HANGUL}${SOUTH_EAST_ASIAN}]]`
/** Signs that hold a name, a number or an address together. */
const JOINER = String.raw`[\-.@\/\:'\&\+]`

const RUN = new RegExp(
  String.raw`\p{Script=Han}+|[${KANA}]+|${HANGUL}+|[${SOUTH_EAST_ASIAN}]+|${LETTER}+(?:${JOINER}${LETTER}+)*(?:\+\+|#)?`,
  'gv',
)
const HAN = /^\p{Script=Han}/u
const UNSPACED = new RegExp(`^[${KANA}${HANGUL}${SOUTH_EAST_ASIAN}]`, 'v')

const FOLDED: Readonly<Record<string, string>> = { ß: 'ss', ø: 'o', ł: 'l', đ: 'd', æ: 'ae', œ: 'oe', ı: 'i', '’': "'" }

/** NFKC, lower case, without accents; Japanese, Korean and Indic marks are part of their letters and stay. */
export function normalise(text: string): string {
  const lower = text.normalize('NFKC').toLowerCase()
  // oxlint-disable-next-line no-control-regex -- plain ASCII has nothing to fold
  if (/^[\u0000-\u007f]*$/.test(lower)) return lower
  return lower
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .replace(/[ßøłđæœı’]/g, (letter) => FOLDED[letter] ?? letter)
}

/** Words come again and again, and what they are as terms costs ten times what the look-up does. Emptied when it is full. */
const knownWords = new Map<string, readonly Term[]>()
const MOST_KNOWN_WORDS = 20_000
/** V8 keeps a longer one as a part of the text that it was found in, which would stay in memory with it. */
const LONGEST_KNOWN_WORD = 12

function word(text: string): readonly Term[] {
  const found = termsOfWord(text)
  if (text.length <= LONGEST_KNOWN_WORD) {
    if (knownWords.size === MOST_KNOWN_WORDS) knownWords.clear()
    knownWords.set(text, found)
  }
  return found
}

function termsOfWord(text: string): Term[] {
  const found: Term[] = []
  const plain = text.replace(/'s$/, '').replaceAll("'", '')
  const parts = plain.split(/[-.@/:&+#_]+/).filter((part) => part !== '')
  // What has digits or signs inside is a name, a number, an address: it is also kept whole.
  if (plain.length <= LONGEST_TERM && (parts.length > 1 ? /[\d@._/:&+]/ : /[+#]$/).test(plain)) {
    found.push({ term: plain, kind: 'word' })
  }
  for (const part of parts) {
    if (!ENGLISH_STOP_WORDS.has(part))
      found.push({ term: stem(part).slice(0, LONGEST_TERM).toWellFormed(), kind: 'word' })
  }
  return found
}

function* han(text: string, isQuery: boolean): Generator<Term> {
  const characters = Array.from(text)
  for (const [index, character] of characters.entries()) {
    const stops = HAN_STOP_CHARACTERS.has(character)
    if (!stops) yield { term: character, kind: 'character' }
    const next = characters[index + 1]
    if (next === undefined) continue
    const pairStops = stops || HAN_STOP_CHARACTERS.has(next)
    if (!isQuery || !pairStops || characters.length === 2) yield { term: character + next, kind: 'word' }
  }
}

function* pairs(text: string): Generator<Term> {
  const characters = Array.from(text)
  if (characters.length === 1) yield { term: text, kind: 'word' }
  for (let index = 1; index < characters.length; index++) {
    yield { term: `${characters[index - 1]}${characters[index]}`, kind: 'word' }
  }
}

function termsOfRun(run: string, isQuery: boolean): Iterable<Term> {
  return knownWords.get(run) ?? (HAN.test(run) ? han(run, isQuery) : UNSPACED.test(run) ? pairs(run) : word(run))
}

function terms(text: string, isQuery: boolean): Term[] {
  const found: Term[] = []
  for (const run of normalise(text).match(RUN) ?? []) {
    for (const term of termsOfRun(run, isQuery)) found.push(term)
  }
  return found
}

/** The terms of a text in their order, repeats included. */
export function documentTerms(text: string): Term[] {
  return terms(text, false)
}

/** What a query looks for: each term once, question words left out, at most 64 words and 64 characters. */
export function queryTerms(query: string): Term[] {
  const found = new Map<string, Term>()
  const counts = { word: 0, character: 0 }
  for (const term of terms(query.slice(0, LONGEST_QUERY).replace(HAN_STOP_WORDS, ' '), true)) {
    if (found.has(term.term) || counts[term.kind] === MOST_QUERY_TERMS) continue
    counts[term.kind]++
    found.set(term.term, term)
  }
  return [...found.values()]
}
