/** Verbs of the present whose form for "the user" is sure, by that of "I". */
const IRREGULAR: Readonly<Record<string, string>> = {
  am: 'is',
  have: 'has',
  do: 'does',
  go: 'goes',
  "'m": 'is',
  "'ve": 'has',
  "'ll": 'will',
}
const REGULAR = new Set(
  `love like prefer hate enjoy dislike adore want need use live work study speak play own drive eat drink cook write
  run swim hike travel plan hope intend aim dream wish believe think feel know understand remember find keep collect follow
  support teach learn practise practice train build develop design manage lead maintain program code own rent share stay sleep
  wake start finish avoid suffer take make get call consider expect tend belong come depend listen look pay watch`.split(
    /\s+/,
  ),
)
/** The same for every person. */
const UNCHANGED = new Set(
  `was had did went visited travelled traveled attended met tried saw watched finished completed bought moved graduated ran climbed
  hiked flew drove broke lost won got gave took played cooked ate spent started launched shipped released celebrated learned learnt
  joined left quit failed passed stayed swam adopted switched migrated presented wrote built fixed debugged deployed worked lived
  studied used grew wanted needed loved liked enjoyed hated preferred planned decided chose became felt thought found kept made
  can could will would should must may might cannot can't couldn't won't wouldn't shouldn't didn't wasn't hadn't`.split(
    /\s+/,
  ),
)
const PAST = /^(?!embed)[a-z]{3,}(?<!e)ed$/
const NEGATED: Readonly<Record<string, string>> = { "don't": 'does not', "haven't": 'has not' }

const ADVERBS =
  'really|truly|absolutely|just|also|always|never|usually|often|sometimes|mostly|generally|especially|particularly|still|currently|recently|already|definitely|personally|actually|only|now|both|no longer'
const OPENING = new RegExp(
  String.raw`^(?:(?:and|but|so|well|also|actually|yes|ok|okay|hi|hello|hey)[,\s]+)*(I|you)('m|'ve|'ll|'re)?\s+((?:(?:${ADVERBS})\s+)*)([a-z']+)\b`,
  'i',
)
const POSSESSIVE = /^(?:(?:and|but|so|well|also|actually|yes|ok|okay)[,\s]+)*(my|your)\s+(?=\S)/i
/** Who else is meant in the rest, and verbs that would have to change with the first: then the words stay. */
const OTHERS = { I: /\b(?:you|your|yours|yourself)\b/i, you: /\bmy\b/i }
const UNSURE_REST =
  /\b(?:I|I'm|I've|I'll|I'd|me|mine|myself|we|us|our|ours|you|yours|yourself)\b|\b(?:and|but|or|then)\s+(?:(?:also|really|do|don't|am|have|just|still|never|always)\s+)*(?:am|have|do|don't|love|like|prefer|hate|enjoy|dislike|want|need|use|live|work|go|plan|hope)\b/i

const CHINESE =
  /^(?:而且|但是|所以|另外|还有|其实|是的|好的|对)?[，,\s]*(我|你|您)(?!们|国|校|方|司|好|看|们|去|来吧)(的)?/
const UNSURE_CHINESE_REST = /[我你您咱]/

/**
 * What the speaker says of themselves, as said of "the user"; undefined where that could change its sense, and the words as they are do
 * better. `you` turns what was said to the user.
 */
export function inThirdPerson(sentence: string, speaker: 'I' | 'you' = 'I'): string | undefined {
  const plain = sentence.replaceAll('’', "'").trim()
  const turned = turnEnglish(plain, speaker) ?? turnChinese(plain, speaker)
  return turned && endWithStop(turned)
}

function turnEnglish(sentence: string, speaker: 'I' | 'you'): string | undefined {
  const possessive = POSSESSIVE.exec(sentence)
  if (possessive && isSpeaker(possessive[1], speaker, 'my', 'your')) {
    const rest = sentence.slice(possessive[0].length)
    return isSure(rest, speaker) ? `The user's ${withTheirs(rest)}` : undefined
  }
  const [opening, who, short = '', adverbs = '', verb = ''] = OPENING.exec(sentence) ?? []
  if (opening === undefined || !isSpeaker(who, speaker, 'i', 'you')) return undefined
  const rest = sentence.slice(opening.length)
  const said = short === '' ? formOf(verb) : shortForm(short, verb)
  if (said === undefined || !isSure(rest, speaker)) return undefined
  return short === ''
    ? `The user ${adverbs}${said}${withTheirs(rest)}`
    : `The user ${said} ${adverbs}${verb}${withTheirs(rest)}`
}

function isSpeaker(found: string | undefined, speaker: 'I' | 'you', mine: string, yours: string): boolean {
  return found?.toLowerCase() === (speaker === 'I' ? mine : yours)
}

function isSure(rest: string, speaker: 'I' | 'you'): boolean {
  return !UNSURE_REST.test(rest) && !OTHERS[speaker].test(rest)
}

function withTheirs(rest: string): string {
  return rest.replace(/\b(?:my|your)\b/gi, 'their')
}

/** Undefined for a verb that is not known. */
function formOf(verb: string): string | undefined {
  const lower = verb.toLowerCase()
  if (lower === 'are') return 'is'
  if (lower === 'were') return 'was'
  const known = IRREGULAR[lower] ?? NEGATED[lower]
  if (known !== undefined) return known
  if (UNCHANGED.has(lower) || PAST.test(lower)) return lower
  return REGULAR.has(lower) ? thirdPersonOf(lower) : undefined
}

function thirdPersonOf(verb: string): string {
  if (/(?:s|x|z|ch|sh|o)$/.test(verb)) return `${verb}es`
  return /[^aeiou]y$/.test(verb) ? `${verb.slice(0, -1)}ies` : `${verb}s`
}

function shortForm(short: string, verb: string): string | undefined {
  const form = short.toLowerCase() === "'re" ? 'is' : IRREGULAR[short.toLowerCase()]
  return verb === '' ? undefined : form
}

function turnChinese(sentence: string, speaker: 'I' | 'you'): string | undefined {
  const found = CHINESE.exec(sentence)
  if (!found || (found[1] === '我') !== (speaker === 'I')) return undefined
  const rest = sentence.slice(found[0].length)
  if (rest === '' || UNSURE_CHINESE_REST.test(rest)) return undefined
  return `用户${found[2] ?? ''}${rest}`
}

const HAN_END = /\p{Script=Han}$/u

function endWithStop(sentence: string): string {
  const bare = sentence.replace(/[\s.!~。！～…]+$/u, '')
  return `${bare}${HAN_END.test(bare) && bare.startsWith('用户') ? '。' : '.'}`
}
