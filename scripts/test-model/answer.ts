import type { Answer, Conversation, Media, Tool, ToolCall, Turn } from './conversation.ts'
import { closestStatement, factOf, orderIn, rememberedMedia, UNKNOWN } from './facts.ts'
import { valueOf } from './json-value.ts'

const GREETING = 'Hello! I am test-model: no real model, but a program that answers from the text of the request alone.'

const NAMES: readonly (readonly [Media['kind'], string, RegExp])[] = [
  ['image', 'picture', /\b(?:pictures?|images?|photos?|screenshots?)\b/i],
  ['audio', 'sound', /\b(?:sounds?|audios?|recordings?|clips?)\b/i],
  ['file', 'file', /\b(?:files?|documents?|pdfs?|reports?)\b/i],
]

/** Answers from what the request says, by a handful of rules; the same request gets the same answer. */
export function answerFrom(conversation: Conversation, number: number): Answer {
  const results = resultsAtTheEnd(conversation.turns)
  const question = conversation.turns.findLast(({ role }) => role === 'user')
  if (!question) return { text: GREETING, calls: [] }
  const calls = results.length > 0 ? [] : callsFor(conversation, question, number)
  if (calls.length > 0) return { text: '', calls }
  if (conversation.schema) {
    return { text: JSON.stringify(valueOf(conversation.schema, conversation, question.text)), calls: [] }
  }
  if (results.length > 0) return { text: `The tools say: ${results.map(({ text }) => text).join(' ')}`, calls: [] }
  return { text: orderIn(conversation) ?? textFor(conversation, question), calls: [] }
}

function textFor(conversation: Conversation, { text, media }: Turn): string {
  const repeated = /^(?:repeat|say)(?: after me)?: (.+)$/is.exec(text.trim())?.[1]
  if (repeated !== undefined) return repeated
  const asked = questionIn(text)
  if (asked === undefined) return media.length > 0 ? seen(media) : reactionTo(text)
  if (/\b(?:what tools|which tools)\b/i.test(asked)) return conversation.tools.map(({ name }) => name).join(', ')
  if (media.length > 0) return seen(media)
  const thing = /\bwhat(?: is|['’]s| was) my ([\p{L}\d' -]+?)\s*\?/iu.exec(asked)?.[1]
  const fact = /\bwho am i\b/i.test(asked) ? factOf('name', conversation) : thing && factOf(thing, conversation)
  if (fact) return fact
  const [kind] = NAMES.find(([, , words]) => words.test(asked)) ?? []
  const [last] = kind ? rememberedMedia(kind, conversation) : []
  if (last) return `I remember ${last.name}${last.said && `: ${last.said}`}`
  // Who has no name in the context is not to be given somebody's by likeness.
  if (thing === 'name') return UNKNOWN
  return closestStatement(asked, conversation) ?? UNKNOWN
}

/** The last question of a text. */
const questionIn = (text: string): string | undefined => text.match(/[^.!?\n]*\?/g)?.at(-1)

function reactionTo(text: string): string {
  const name = /\bmy name is (\p{Lu}[\p{L}'’-]*)/iu.exec(text)?.[1]
  if (name) return `Nice to meet you, ${name}.`
  return /^(?:hello|hi|hey)\b/i.test(text.trim()) ? GREETING : 'Noted.'
}

/** How many of each kind, and of what they consist. */
function seen(media: readonly Media[]): string {
  const kinds = NAMES.flatMap(([kind, name]) => {
    const of = media.filter((one) => one.kind === kind)
    if (of.length === 0) return []
    return [`${of.length} ${name}${of.length > 1 ? 's' : ''} (${of.map(describe).join('; ')})`]
  })
  return `I see ${kinds.join(' and ')}.`
}

function describe({ bytes, mimeType }: Media): string {
  return bytes ? `${mimeType ?? 'of an unknown type'}, ${bytes.length} bytes` : 'a link that I do not follow'
}

function resultsAtTheEnd(turns: readonly Turn[]): Turn[] {
  const last = turns.findLastIndex(({ role }) => role !== 'tool')
  return turns.slice(last + 1)
}

/** A call for each place that the user asks of, where a tool's name has a word of the question, or a tool must be called. */
function callsFor(conversation: Conversation, { text }: Turn, number: number): ToolCall[] {
  const tool = toolFor(conversation, text)
  if (!tool) return []
  const places = placesIn(text)
  return (places.length > 0 ? places : [text]).map((place, index) => ({
    id: `call_test_${number}_${index}`,
    name: tool.name,
    arguments: JSON.stringify(valueOf(tool.schema, conversation, place)),
  }))
}

function toolFor({ tools, toolChoice }: Conversation, text: string): Tool | undefined {
  if (toolChoice === 'none') return undefined
  if (typeof toolChoice === 'object') return tools.find(({ name }) => name === toolChoice.name)
  const asked = text.toLowerCase()
  const fitting = tools.find(({ name }) =>
    name.split(/[_\W]|(?=[A-Z])/).some((word) => word.length > 3 && asked.includes(word.toLowerCase())),
  )
  return fitting ?? (toolChoice === 'required' ? tools[0] : undefined)
}

/** "… in Oslo and Rome" → Oslo, Rome. */
function placesIn(text: string): string[] {
  const [, list = ''] = /\bin (\p{Lu}[\p{L}-]*(?:(?:, | and )\p{Lu}[\p{L}-]*)*)/u.exec(text) ?? []
  return list.split(/, | and /).filter((place) => place !== '')
}
