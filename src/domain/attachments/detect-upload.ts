import type { ContentKind } from '../../ports/memory-backend.ts'
import type { SpooledFile } from '../../ports/object-store.ts'
import { GatewayError } from '../errors.ts'
import { detectFileType, isCompatible } from './detect-file-type.ts'
import { cleanFileName } from './file-name.ts'
import type { FileType } from './file-types.ts'

/** A file whose content was found to be of a supported type. */
export interface DetectedUpload {
  readonly uploadId: string
  readonly file: SpooledFile
  readonly type: FileType
  readonly name: string
}

/**
 * Decides the type by the content alone. `unsupported_media_type` for what the gateway does not take, and for content that
 * contradicts the declared kind.
 */
export async function detectUpload(
  upload: { uploadId: string; fileName: string | undefined; file: SpooledFile },
  declared: ContentKind | undefined,
  maxNameBytes: number,
): Promise<DetectedUpload> {
  const name = cleanFileName(upload.fileName, upload.uploadId, maxNameBytes)
  const type = await detectFileType(upload.file, name)
  if (!type) {
    throw new GatewayError('unsupported_media_type', `The content of ${name} is of no supported type.`, {
      details: { upload_id: upload.uploadId },
    })
  }
  if (declared && !isCompatible(declared, type)) {
    throw new GatewayError(
      'unsupported_media_type',
      `${name} was sent as ${declared}, but its content is ${type.mimeType}.`,
      {
        details: { upload_id: upload.uploadId, declared_type: declared, mime_type: type.mimeType },
      },
    )
  }
  return { uploadId: upload.uploadId, file: upload.file, type, name }
}
