// Conversations that nobody had: made-up words with the frequencies of real ones, names, numbers, dates, and some Chinese. The same number gives the same text.

/** Turns of one session. */
export const SESSION_TURNS = 20
const VOCABULARY = 50_000
const NAMES = 2_000
const HAN = 2_500
const CHINESE_WORDS = 8_000
/** One turn in so many is Chinese. */
const CHINESE_EVERY = 12
/** Zipf–Mandelbrot: the most frequent word is then in every seventh turn or so, as in real conversations. */
const SHIFT = 10
const FIRST_MOMENT = Date.UTC(2024, 0, 1)
/** Sessions spread over this time, whatever their number. */
const SPAN_MS = 500 * 86_400_000
const TURN_MS = 30_000

const FUNCTION_WORDS =
  `the a of to in and is it that for was on you with this i my we so but at be have they are not what all were when can there an which do if will how about
up out who get then go me just him know take into your some could them than only come over think also back after use two our work first well even want because any these most us`.split(
    /\s+/,
  )
const ONSETS = 'b br c ch cl d dr f fl g gr h j k l m n p pl pr qu r s sh sl st t tr v w z'.split(' ')
const VOWELS = 'a e i o u ai ea oo ou'.split(' ')
const CODAS = ['', '', '', 'n', 'r', 't', 'l', 'm', 'nd', 'ck', 'rt']
const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const TIMES = ['last week', 'yesterday', 'last month', 'in May 2024', 'on Monday', 'two weeks ago']

export type QueryKind = 'rare words' | 'common words' | 'mixed' | 'names' | 'times' | 'Chinese'
export const QUERY_KINDS: readonly QueryKind[] = ['rare words', 'common words', 'mixed', 'names', 'times', 'Chinese']

type Draw = () => number

/** Mulberry32 (public domain, T. Ettinger): numbers in [0, 1) from a seed. */
function drawsOf(seed: number): Draw {
  let state = Math.imul(seed + 1, 0x9e3779b1)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A rank below `most`, from 0, by the inverse of the integral of 1 / (rank + SHIFT). */
function zipf(draw: Draw, most: number): number {
  return Math.min(most - 1, Math.floor(SHIFT * (1 + most / SHIFT) ** draw() - SHIFT))
}

const pick = <T>(draw: Draw, from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T

function makeWords(count: number, seed: number): string[] {
  const draw = drawsOf(seed)
  const words = new Set<string>()
  while (words.size < count) {
    const syllables = 1 + Math.floor(draw() * 2 + (words.size / count) * 1.5)
    words.add(
      Array.from({ length: syllables }, () => pick(draw, ONSETS) + pick(draw, VOWELS) + pick(draw, CODAS)).join(''),
    )
  }
  return [...words].filter((word) => !FUNCTION_WORDS.includes(word))
}

const words = makeWords(VOCABULARY, 11)
const names = makeWords(NAMES, 12).map((name) => `${name[0]?.toUpperCase()}${name.slice(1)}`)
const chineseWords = makeChineseWords(13)

/** Of one or two characters, some of which are in many words. */
function makeChineseWords(seed: number): string[] {
  const draw = drawsOf(seed)
  const character = () => String.fromCodePoint(0x4e00 + ((zipf(draw, HAN) * 7_919) % 20_000))
  return Array.from({ length: CHINESE_WORDS }, () => (draw() < 0.2 ? character() : character() + character()))
}

function chinese(draw: Draw, length: number): string {
  return Array.from({ length }, () => chineseWords[zipf(draw, CHINESE_WORDS)]).join('')
}

function chineseTurn(draw: Draw): string {
  return `${Array.from({ length: 1 + Math.floor(draw() * 4) }, () => chinese(draw, 2 + Math.floor(draw() * 6))).join('，')}。`
}

function wordOfTurn(draw: Draw): string {
  const kind = draw()
  if (kind < 0.45) return pick(draw, FUNCTION_WORDS)
  if (kind < 0.93) return words[zipf(draw, words.length)] ?? ''
  if (kind < 0.96) return names[zipf(draw, names.length)] ?? ''
  if (kind < 0.985) return String(Math.floor(draw() ** 3 * 10_000))
  return `${1 + Math.floor(draw() * 28)} ${pick(draw, MONTHS)}`
}

export interface Turn {
  readonly session: number
  readonly speaker: string
  readonly isUser: boolean
  /** Unix ms. */
  readonly timestamp: number
  readonly text: string
}

/** Turn `at` of `total`: of 5 to 60 words, mostly few. Its sessions are in the order of time. */
export function turnOf(at: number, total: number): Turn {
  const draw = drawsOf(at)
  const session = Math.floor(at / SESSION_TURNS)
  const place = at % SESSION_TURNS
  const isUser = place % 2 === 0
  const start = FIRST_MOMENT + Math.floor((session / Math.ceil(total / SESSION_TURNS)) * SPAN_MS)
  const length = 5 + Math.floor(draw() ** 2 * 56)
  const said = Array.from({ length }, () => wordOfTurn(draw)).join(' ')
  return {
    session,
    speaker: isUser ? 'Ada' : 'Assistant',
    isUser,
    timestamp: start + place * TURN_MS,
    text: at % CHINESE_EVERY === 5 ? chineseTurn(draw) : `${said}.`,
  }
}

/** When the questions are asked: just after the last turn. */
export const ASKED_AT = FIRST_MOMENT + SPAN_MS

export interface Question {
  readonly text: string
  /** Session of the turn from which its rare words are; the search is its user's. */
  readonly session: number
  /** What that turn says, where the question has words that hardly any other turn has. */
  readonly answer: string | undefined
}

/** Question `at` of a kind. */
export function questionOf(kind: QueryKind, at: number, total: number): Question {
  const draw = drawsOf(at * 31 + QUERY_KINDS.indexOf(kind) + 0x5eed_0000)
  const turn = turnOf(Math.floor((draw() * total) / CHINESE_EVERY) * CHINESE_EVERY, total)
  const rare = rarestWords(turn.text)
  const text = wordsOf(kind, draw, rare)
  return { text, session: turn.session, answer: kind === 'rare words' && rare.length > 2 ? turn.text : undefined }
}

const ranks = new Map(words.map((word, rank) => [word, rank]))

function rarestWords(text: string): string[] {
  const said = text.split(/[\s.]+/).filter((word) => ranks.has(word))
  return [...new Set(said)].toSorted((one, other) => (ranks.get(other) ?? 0) - (ranks.get(one) ?? 0))
}

function wordsOf(kind: QueryKind, draw: Draw, rare: readonly string[]): string {
  const common = (count: number) => Array.from({ length: count }, () => words[Math.floor(draw() * 60)]).join(' ')
  const name = () => names[zipf(draw, names.length)]
  switch (kind) {
    case 'rare words':
      return `Do you remember ${rare.slice(0, 3).join(' ')}?`
    case 'common words':
      return `What about the ${common(3)}?`
    case 'mixed':
      return `When did we ${common(2)} with ${rare.slice(0, 2).join(' ')}?`
    case 'names':
      return `What did ${name()} say to ${name()}?`
    case 'times':
      return `What ${common(1)} and ${rare[0] ?? 'that'} did I have ${pick(draw, TIMES)}?`
    case 'Chinese':
      return `${chinese(draw, 1 + Math.floor(draw() * 2))}怎么样？`
  }
}
