import type { ContentKind } from '../../ports/memory-backend.ts'

export interface FileType {
  readonly kind: ContentKind
  /** Canonical extension, without a dot. */
  readonly ext: string
  readonly mimeType: string
}

const office = 'application/vnd.openxmlformats-officedocument'

/** Every type the gateway takes. What is not here is refused. */
export const fileTypes = {
  png: { kind: 'image', ext: 'png', mimeType: 'image/png' },
  jpg: { kind: 'image', ext: 'jpg', mimeType: 'image/jpeg' },
  webp: { kind: 'image', ext: 'webp', mimeType: 'image/webp' },
  gif: { kind: 'image', ext: 'gif', mimeType: 'image/gif' },
  heic: { kind: 'image', ext: 'heic', mimeType: 'image/heic' },
  avif: { kind: 'image', ext: 'avif', mimeType: 'image/avif' },
  tiff: { kind: 'image', ext: 'tiff', mimeType: 'image/tiff' },
  svg: { kind: 'image', ext: 'svg', mimeType: 'image/svg+xml' },
  wav: { kind: 'audio', ext: 'wav', mimeType: 'audio/wav' },
  mp3: { kind: 'audio', ext: 'mp3', mimeType: 'audio/mpeg' },
  m4a: { kind: 'audio', ext: 'm4a', mimeType: 'audio/mp4' },
  ogg: { kind: 'audio', ext: 'ogg', mimeType: 'audio/ogg' },
  opus: { kind: 'audio', ext: 'opus', mimeType: 'audio/ogg' },
  flac: { kind: 'audio', ext: 'flac', mimeType: 'audio/flac' },
  aac: { kind: 'audio', ext: 'aac', mimeType: 'audio/aac' },
  webm: { kind: 'audio', ext: 'webm', mimeType: 'audio/webm' },
  pdf: { kind: 'pdf', ext: 'pdf', mimeType: 'application/pdf' },
  docx: { kind: 'doc', ext: 'docx', mimeType: `${office}.wordprocessingml.document` },
  pptx: { kind: 'doc', ext: 'pptx', mimeType: `${office}.presentationml.presentation` },
  xlsx: { kind: 'doc', ext: 'xlsx', mimeType: `${office}.spreadsheetml.sheet` },
  rtf: { kind: 'doc', ext: 'rtf', mimeType: 'application/rtf' },
  html: { kind: 'html', ext: 'html', mimeType: 'text/html' },
  eml: { kind: 'email', ext: 'eml', mimeType: 'message/rfc822' },
  txt: { kind: 'doc', ext: 'txt', mimeType: 'text/plain' },
  md: { kind: 'doc', ext: 'md', mimeType: 'text/markdown' },
  csv: { kind: 'doc', ext: 'csv', mimeType: 'text/csv' },
  tsv: { kind: 'doc', ext: 'tsv', mimeType: 'text/tab-separated-values' },
  json: { kind: 'doc', ext: 'json', mimeType: 'application/json' },
} as const satisfies Record<string, FileType>

/** True if a file of the detected type may be sent as the declared kind. A PDF, a page and an e-mail are documents too. */
export function isCompatible(declared: ContentKind, detected: FileType): boolean {
  if (declared === detected.kind) return true
  return declared === 'doc' && (detected.kind === 'pdf' || detected.kind === 'html' || detected.kind === 'email')
}
