import type { ContentKind } from '../../ports/memory-backend.ts'
import { readPictureSize } from '../attachments/picture-size.ts'

/** A file as it stands in a request. */
interface InlineFile {
  readonly kind: ContentKind
  readonly base64: string
  readonly mimeType?: string
}

/** A picture whose size is not known: of about a megapixel. */
const PICTURE_TOKENS = 1_400
/** Providers scale larger pictures down. */
const MOST_PICTURE_TOKENS = 1_600
const FEWEST_PICTURE_TOKENS = 85
const PIXELS_PER_TOKEN = 750
/** Of a second of sound; providers count 10 to 32. */
const AUDIO_TOKENS_PER_SECOND = 32
/** Of compressed sound: 128 kbit/s. */
const AUDIO_BYTES_PER_SECOND = 16_000
const MOST_AUDIO_TOKENS = 32 * 3_600
const MOST_DOCUMENT_TOKENS = 20_000
/** Text documents; those with pictures, fonts or compression have less text in a byte. */
const BYTES_PER_TOKEN = 4
const BINARY_BYTES_PER_TOKEN = 20

/** Of what only the provider can see. */
export const LINK_TOKENS = PICTURE_TOKENS

const HEAD_BYTES = 48 * 1024

/** About how many tokens a file has for a model, by its first bytes and its size. */
export async function fileTokens({ kind, base64, mimeType = '' }: InlineFile): Promise<number> {
  const bytes = decodedSize(base64)
  if (kind === 'image') return pictureTokens(base64, bytes)
  if (kind === 'audio') return soundTokens(base64, bytes)
  const perToken = kind === 'pdf' || mimeType.includes('officedocument') ? BINARY_BYTES_PER_TOKEN : BYTES_PER_TOKEN
  return Math.min(MOST_DOCUMENT_TOKENS, Math.ceil(bytes / perToken))
}

/** Bytes that base64 stands for. */
export function decodedSize(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return Math.floor((base64.length * 3) / 4) - padding
}

function head(base64: string): Buffer {
  return Buffer.from(base64.slice(0, (HEAD_BYTES / 3) * 4), 'base64')
}

async function pictureTokens(base64: string, bytes: number): Promise<number> {
  const start = head(base64)
  const ext = pictureType(start)
  const readAt = async (position: number, length: number) => start.subarray(position, position + length)
  const size = ext === undefined ? undefined : await readPictureSize(readAt, bytes, ext)
  if (!size) return PICTURE_TOKENS
  const tokens = Math.ceil((size.width * size.height) / PIXELS_PER_TOKEN)
  return Math.min(MOST_PICTURE_TOKENS, Math.max(FEWEST_PICTURE_TOKENS, tokens))
}

function pictureType(start: Buffer): string | undefined {
  if (start.toString('latin1', 1, 4) === 'PNG') return 'png'
  if (start.toString('latin1', 0, 4) === 'GIF8') return 'gif'
  if (start.toString('latin1', 8, 12) === 'WEBP') return 'webp'
  return start[0] === 0xff && start[1] === 0xd8 ? 'jpg' : undefined
}

/** A wave file says how many bytes a second has. */
function soundTokens(base64: string, bytes: number): number {
  const start = head(base64.slice(0, 64))
  const isWave = start.length >= 32 && start.toString('latin1', 8, 12) === 'WAVE'
  const perSecond = (isWave && start.readUInt32LE(28)) || AUDIO_BYTES_PER_SECOND
  return Math.min(MOST_AUDIO_TOKENS, Math.ceil((bytes / perSecond) * AUDIO_TOKENS_PER_SECOND))
}
