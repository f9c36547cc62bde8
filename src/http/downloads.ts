import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { AttachmentRow } from '../domain/attachments/queries.ts'
import type { ByteRange } from '../ports/object-store.ts'
import type { HttpContext } from './context.ts'

/** Those of the types we store that a browser would run as a page: they go out as bytes. */
const ACTIVE = new Set(['text/html', 'image/svg+xml', 'message/rfc822'])

/** A reader that takes less in so long, 8 KiB a second, is cut off: it holds a connection and a file open. */
const WINDOW_MS = 60_000
const WINDOW_BYTES = 480 * 1024

type RangeAnswer = { status: 200 } | { status: 206; range: ByteRange } | { status: 416 }

/** Sends a stored original, whole or in part, so that no browser shows or runs it. Ends the answer itself. */
export async function sendFile(
  c: HttpContext,
  file: AttachmentRow,
  open: (range?: ByteRange) => Promise<Readable>,
): Promise<Response> {
  const { outgoing } = c.env
  const etag = `"${file.sha256}"`
  const headers: Record<string, string> = {
    'Content-Type': ACTIVE.has(file.mimeType) ? 'application/octet-stream' : file.mimeType,
    'Content-Disposition': contentDisposition(file.name),
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Accept-Ranges': 'bytes',
    ETag: etag,
  }
  if (matches(c.req.header('if-none-match'), etag)) {
    outgoing.writeHead(304, headers).end()
    return RESPONSE_ALREADY_SENT
  }
  const answer = resolveRange(c.req.header('range'), c.req.header('if-range'), file.size, etag)
  if (answer.status === 416) {
    outgoing.writeHead(416, { ...headers, 'Content-Range': `bytes */${file.size}` }).end()
    return RESPONSE_ALREADY_SENT
  }
  const range = answer.status === 206 ? answer.range : undefined
  const source = await open(range)
  outgoing.writeHead(answer.status, {
    ...headers,
    'Content-Length': range ? range.end - range.start + 1 : file.size,
    ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${file.size}` }),
  })
  c.get('ctx').turn[Symbol.dispose]()
  await pipeToReader(source, outgoing).catch((error: unknown) => {
    c.get('log').warn({ err: error, attachmentId: file.id }, 'download broken off')
  })
  return RESPONSE_ALREADY_SENT
}

/** Sends the source, as fast as the reader takes it. Rejects if either breaks off, or if fewer than `bytes` move in a window. */
export async function pipeToReader(
  source: Readable,
  outgoing: ServerResponse,
  window = { ms: WINDOW_MS, bytes: WINDOW_BYTES },
): Promise<void> {
  let sent = outgoing.socket?.bytesWritten ?? 0
  const watch = setInterval(() => {
    const now = outgoing.socket?.bytesWritten ?? 0
    if (now - sent < window.bytes) outgoing.destroy()
    sent = now
  }, window.ms)
  try {
    await pipeline(source, outgoing)
  } finally {
    clearInterval(watch)
  }
}

function matches(header: string | undefined, etag: string): boolean {
  return (
    header !== undefined &&
    header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*')
  )
}

/** One range is served; several, or one that cannot be read, get the whole file, as RFC 9110 allows. */
export function resolveRange(
  header: string | undefined,
  ifRange: string | undefined,
  size: number,
  etag: string,
): RangeAnswer {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!found || (ifRange !== undefined && ifRange !== etag) || (!found[1] && !found[2])) return { status: 200 }
  const [first, last] = [found[1], found[2]]
  const start = first ? Number(first) : Math.max(size - Number(last), 0)
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1
  if (first && last && Number(last) < Number(first)) return { status: 200 }
  return start <= end && start < size ? { status: 206, range: { start, end } } : { status: 416 }
}

/** RFC 6266: an ASCII stand-in, and the name itself as RFC 8187 has it. */
export function contentDisposition(name: string): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
