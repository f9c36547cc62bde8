import { fileTypes } from '../../../domain/attachments/file-types.ts'
import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'
import { LONGEST_TEXT } from '../../../domain/threads/turn-text.ts'
import type { ContentKind } from '../../../ports/memory-backend.ts'

export type Fields = Readonly<Record<string, unknown>>

interface FileFacts {
  readonly kind?: ContentKind
  readonly mimeType?: unknown
  readonly name?: unknown
}

/** Of an address. What is longer is no address that anybody meant to be kept. */
const LONGEST_TARGET = 2_048
const LONGEST_DATA_HEADER = 256
const LONGEST_CALL_NAME = 512
const MIME_TYPE = /^[\w.+-]{1,60}\/[\w.+-]{1,100}$/

/** The members of an object; none if it is no object. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A text as it can be stored: no NUL, no half of a surrogate pair. Undefined if it is none, or empty. */
export function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  return value.toWellFormed().replaceAll('\0', '') || undefined
}

/** Cut where its message is cut anyway. */
export function textPart(value: unknown): ChatPart[] {
  const text = textOf(typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : value)
  return text === undefined ? [] : [{ type: 'text', text }]
}

/** A file given as base64, or as a data URL. */
export function filePart(data: unknown, facts: FileFacts): ChatPart[] {
  if (typeof data !== 'string' || data === '') return []
  if (isDataUrl(data)) return urlPart(data, facts)
  const mimeType = mimeOf(facts.mimeType)
  const name = textOf(facts.name)
  const kind = facts.kind ?? kindOf(mimeType, name)
  return [{ type: 'file', kind, base64: data, ...(mimeType && { mimeType }), ...(name && { name }) }]
}

/** A file given by its address: the file itself for a data URL, else a link. */
export function urlPart(url: unknown, facts: FileFacts): ChatPart[] {
  if (typeof url !== 'string') return []
  if (!isDataUrl(url)) return linkPart(url, facts.kind ?? kindOf(undefined, textOf(facts.name)))
  const comma = url.slice(0, LONGEST_DATA_HEADER).indexOf(',')
  if (comma === -1) return []
  const [type = '', ...parameters] = url.slice('data:'.length, comma).split(';')
  const isBase64 = parameters.at(-1)?.trim().toLowerCase() === 'base64'
  const base64 = isBase64 ? url.slice(comma + 1) : base64Of(url.slice(comma + 1))
  const mimeType = mimeOf(type) ?? facts.mimeType
  const kind =
    facts.kind === undefined || facts.kind === 'doc' ? kindOf(mimeOf(mimeType), textOf(facts.name)) : facts.kind
  return filePart(isDataUrl(base64) ? '' : base64, { ...facts, kind, mimeType })
}

export function linkPart(target: unknown, kind: ContentKind): ChatPart[] {
  const text = textOf(target)
  return text === undefined || text.length > LONGEST_TARGET ? [] : [{ type: 'link', kind, target: text }]
}

/** A call as it can be stored; none without a name. */
export function toolCall(id: unknown, name: unknown, args: unknown): ToolCall[] {
  const known = nameOf(name)
  return known === undefined ? [] : [{ id: nameOf(id) ?? known, name: known, arguments: textOf(args) ?? '' }]
}

/** None if nothing was said. */
export function assistantTurn(parts: readonly ChatPart[], toolCalls: readonly ToolCall[]): ChatTurn[] {
  if (parts.length === 0 && toolCalls.length === 0) return []
  return [{ role: 'assistant', parts, ...(toolCalls.length > 0 && { toolCalls: withinBounds(toolCalls) }) }]
}

export function toolTurn(parts: readonly ChatPart[], callId: unknown): ChatTurn {
  const toolCallId = nameOf(callId)
  return { role: 'tool', parts, ...(toolCallId && { toolCallId }) }
}

/** Names and ids of calls; what is longer was not made by any model. */
function nameOf(value: unknown): string | undefined {
  return textOf(typeof value === 'string' ? value.slice(0, LONGEST_CALL_NAME) : value)
}

/** The calls with their arguments, as long as these are as long as a text may be together. */
function withinBounds(toolCalls: readonly ToolCall[]): readonly ToolCall[] {
  let left = LONGEST_TEXT
  return toolCalls.map((call) => {
    left -= call.arguments.length
    return left < 0 ? { ...call, arguments: '' } : call
  })
}

function isDataUrl(text: string): boolean {
  return /^data:/i.test(text.slice(0, 5))
}

function base64Of(encoded: string): string {
  try {
    return Buffer.from(decodeURIComponent(encoded)).toString('base64')
  } catch {
    return ''
  }
}

function mimeOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const type = value.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return MIME_TYPE.test(type) ? type : undefined
}

function kindOf(mimeType: string | undefined, name: string | undefined): ContentKind {
  if (mimeType?.startsWith('image/')) return 'image'
  if (mimeType?.startsWith('audio/')) return 'audio'
  const known = Object.values(fileTypes).find((type) => type.mimeType === mimeType)
  if (known) return known.kind
  const ext = name?.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return Object.values(fileTypes).find((type) => type.ext === ext)?.kind ?? 'doc'
}
