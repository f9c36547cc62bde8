import type { SpoolSession } from '../attachments/spool.ts'
import { GatewayError } from '../errors.ts'
import type { Upload } from './resolve-content.ts'
import type { ContentItem, MessageInput } from './schemas.ts'

/** A multiple of 4 characters, so that each piece decodes by itself. */
const PIECE = 64 * 1024
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Turns `base64` items into spooled files under made-up upload ids. Throws `invalid_request` for what is not base64. */
export async function decodeInlineFiles(
  messages: readonly MessageInput[],
  spool: SpoolSession,
  maxFileBytes: number,
): Promise<{ messages: MessageInput[]; uploads: Map<string, Upload> }> {
  const uploads = new Map<string, Upload>()
  const decoded: MessageInput[] = []
  for (const message of messages) {
    if (typeof message.content === 'string') {
      decoded.push(message)
      continue
    }
    const content: ContentItem[] = []
    for (const item of message.content) {
      if (item.type === 'text') {
        content.push(item)
        continue
      }
      const { base64, ...rest } = item
      if (base64 === undefined)
        throw new GatewayError('invalid_request', `An item of type ${item.type} needs base64 here.`)
      const uploadId = `${item.type}_${uploads.size + 1}`
      checkBase64(base64, uploadId, maxFileBytes)
      uploads.set(uploadId, { uploadId, fileName: item.name, file: await spool.take(decodePieces(base64)) })
      content.push({ ...rest, upload_id: uploadId })
    }
    decoded.push({ ...message, content })
  }
  return { messages: decoded, uploads }
}

function checkBase64(base64: string, uploadId: string, maxFileBytes: number): void {
  for (let at = 0; at < base64.length; at += PIECE) {
    const piece = base64.slice(at, at + PIECE)
    const isLast = at + PIECE >= base64.length
    if (!BASE64.test(piece) || (!isLast && piece.includes('='))) {
      throw new GatewayError(
        'invalid_request',
        `base64 of ${uploadId}: must be standard base64 with padding, without "data:" prefix.`,
      )
    }
  }
  if ((base64.length / 4) * 3 - 2 > maxFileBytes) {
    throw new GatewayError('payload_too_large', `A file may have ${maxFileBytes} bytes at most.`, {
      details: { max_file_bytes: maxFileBytes },
    })
  }
}

async function* decodePieces(base64: string): AsyncGenerator<Buffer> {
  for (let at = 0; at < base64.length; at += PIECE) yield Buffer.from(base64.slice(at, at + PIECE), 'base64')
}
