import type { ContentKind } from '../../ports/memory-backend.ts'

export interface FileType {
  readonly kind: ContentKind
  /** Canonical extension, without a dot. */
  readonly ext: string
  readonly mimeType: string
}
