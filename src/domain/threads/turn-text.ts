import { createHash } from 'node:crypto'
import type { ContentKind } from '../../ports/memory-backend.ts'
import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { ChatPart, ChatTurn, ToolCall } from './chat-turn.ts'
import { fileTokens, LINK_TOKENS } from './media-tokens.ts'

type Media = Exclude<ChatPart, { type: 'text' }>

const LONGEST_NAME = 200
/** As much as is kept of an answer: more than models read. */
export const LONGEST_TEXT = 4 * 1024 * 1024
/** A longer text is compared as it is, by its hash. */
const LONGEST_BARED = 256 * 1024
/** What would end a placeholder, or its line. */
const UNFIT_FOR_NAMES = /[[\]\p{Cc}\u2028\u2029]/gu
/** Without `[` in the name: a text of many beginnings of placeholders is looked through once, not once for each. */
const PLACEHOLDER = /\[(Image|Audio|File) #\d+(?:: ([^[\]\n]*))?\]/g
const ADDRESS = /^[a-z][a-z\d+.-]*:\/\//i

/**
 * What a turn says, as it is stored and shown again: its texts, each file and link as a placeholder in its place, e.g. `[Image #1: plan.png]`,
 * numbered within the turn by what it is. Cut at 4 Mi characters. Free of what the database refuses.
 */
export function turnText(turn: Pick<ChatTurn, 'parts'>): string {
  const numbers: Record<string, number> = {}
  const texts = turn.parts.map((part) => {
    if (part.type === 'text') return part.text
    const label = labelOf(part.kind)
    const number = (numbers[label] ?? 0) + 1
    numbers[label] = number
    return placeholder(label, number, nameOf(part))
  })
  return storableText(texts.join('\n').slice(0, LONGEST_TEXT))
}

/** Text without NUL and lone surrogates. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

function labelOf(kind: ContentKind): string {
  return kind === 'image' ? 'Image' : kind === 'audio' ? 'Audio' : 'File'
}

function placeholder(label: string, number: number, name: string): string {
  return name === '' ? `[${label} #${number}]` : `[${label} #${number}: ${name}]`
}

/** Of an address without its query, which changes with each signature of it and may hold a secret. An id is marked as one. */
function nameOf(part: Media): string {
  const given = part.type === 'file' ? lastSegment(part.name ?? '') : linkName(part.target)
  return given.replace(UNFIT_FOR_NAMES, ' ').trim().slice(0, LONGEST_NAME).toWellFormed()
}

function lastSegment(name: string): string {
  return name.split(/[\\/]/).at(-1) ?? ''
}

function linkName(target: string): string {
  if (!ADDRESS.test(target)) return `id ${target}`
  return (target.split(/[?#]/, 1)[0] ?? '').replace(/\/\/[^/@]*@/, '//')
}

/** The text of a turn without its placeholders, for those who look for what was said; of each long part its two ends, of so many characters. */
export function wordsOfTurn(turn: Pick<ChatTurn, 'parts'>, ends: number): string {
  const texts = turn.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  return storableText(texts.map((text) => endsOf(text, ends)).join('\n'))
}

function endsOf(text: string, ends: number): string {
  return text.length <= 2 * ends ? text : `${text.slice(0, ends)}\n${text.slice(-ends)}`
}

/**
 * How many tokens a turn has for a model: an estimate, by its text, its tool calls, and of each file what is seen of it without decoding:
 * never by the length of its base64.
 */
export async function turnTokens(turn: ChatTurn): Promise<number> {
  let tokens = estimateTokens(turnText(turn))
  for (const { name, arguments: given } of turn.toolCalls ?? []) tokens += estimateTokens(`${name} ${given}`)
  for (const part of turn.parts) {
    if (part.type === 'file') tokens += await fileTokens(part)
    else if (part.type === 'link') tokens += LINK_TOKENS
  }
  return tokens
}

/** What there is to compare of a turn, be it one that was sent or one that is stored. */
export interface ComparableTurn {
  readonly role: ChatTurn['role']
  readonly text: string
  readonly toolCalls: readonly ToolCall[]
  readonly toolCallId: string | undefined
}

/** In characters: of its text and of its calls. */
export function sizeOf({ text, toolCalls }: Pick<ComparableTurn, 'text' | 'toolCalls'>): number {
  return toolCalls.reduce((sum, { arguments: given }) => sum + given.length, text.length)
}

export function comparable(turn: ChatTurn): ComparableTurn {
  return { role: turn.role, text: turnText(turn), toolCalls: turn.toolCalls ?? [], toolCallId: turn.toolCallId }
}

/**
 * Equal for what a client sent and for what is stored of it, also if the client gives it back in another form: white space, the division
 * into parts, names of files and the spelling of JSON do not count. Neither does text beside tool calls, which some clients drop: their ids
 * name them. Of texts and arguments above 256 Ki characters every character counts. Of files it has kinds and number; whether they are the same ones is to be asked apart.
 */
export function fingerprint({ role, text, toolCalls, toolCallId }: ComparableTurn): string {
  const calls = toolCalls.map(({ id, name, arguments: given }) => [id, name, canonicalJson(given)])
  const said = calls.length > 0 ? '' : bareText(text)
  return JSON.stringify([role, said, calls, toolCallId ?? ''])
}

function bareText(text: string): string {
  if (text.length > LONGEST_BARED) return hashOf(text)
  return storableText(text)
    .replace(PLACEHOLDER, (_, label: string, name = '') => (isLink(name) ? `[${label} ${name}]` : `[${label}]`))
    .replace(/\s+/g, '')
}

function isLink(name: string): boolean {
  return ADDRESS.test(name) || name.startsWith('id ')
}

function canonicalJson(given: string): string {
  if (given.length > LONGEST_BARED) return hashOf(storableText(given))
  try {
    return JSON.stringify(JSON.parse(given.trim() || '{}'))
  } catch {
    return storableText(given)
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
