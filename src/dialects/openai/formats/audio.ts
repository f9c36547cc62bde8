import type { ChatPart } from '../../../domain/threads/chat-turn.ts'
import { type Fields, fieldsOf, filePart } from './parts.ts'

const TYPES: Readonly<Record<string, string>> = {
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  webm: 'audio/webm',
}

/** OpenAI's part for a sound, `{ input_audio: { data, format } }`. */
export function audioPart(part: Fields): ChatPart[] {
  const { data, format } = fieldsOf(part['input_audio'])
  return filePart(data, { kind: 'audio', mimeType: TYPES[String(format).toLowerCase()] })
}

/** OpenAI's name for the format of a sound. */
export function audioFormat(mimeType = 'audio/mpeg'): string {
  const known = Object.entries(TYPES).find(([, type]) => type === mimeType)
  return known?.[0] ?? mimeType.slice(mimeType.indexOf('/') + 1)
}
