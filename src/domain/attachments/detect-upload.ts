import type { Limits } from '../../config/config.ts'
import type { ContentKind } from '../../ports/memory-backend.ts'
import type { SpooledFile } from '../../ports/object-store.ts'
import { GatewayError } from '../errors.ts'
import { archiveFault } from './archive-bounds.ts'
import { detectFileType, isCompatible } from './detect-file-type.ts'
import { cleanFileName } from './file-name.ts'
import type { FileType } from './file-types.ts'
import { readPictureSize } from './picture-size.ts'
import { openSpooled } from './read-at.ts'

/** A file whose content was found to be of a supported type. */
export interface DetectedUpload {
  readonly uploadId: string
  readonly file: SpooledFile
  readonly type: FileType
  readonly name: string
}

const ZIP_MAGIC = 0x504b0304

/**
 * Decides the type by the content alone. `unsupported_media_type` for what the gateway does not take, and for content that
 * contradicts the declared kind; `invalid_request` for archives and pictures that would be too much for those who open them.
 */
export async function detectUpload(
  upload: { uploadId: string; fileName: string | undefined; file: SpooledFile },
  declared: ContentKind | undefined,
  limits: Limits,
): Promise<DetectedUpload> {
  const { uploadId, file } = upload
  const name = cleanFileName(upload.fileName, uploadId, limits.filenameBytes)
  // Before all else: to find out what kind of zip file it is, it is looked into.
  await checkArchive({ uploadId, file, name }, limits)
  const type = await detectFileType(file, name)
  if (!type) {
    throw new GatewayError('unsupported_media_type', `The content of ${name} is of no supported type.`, {
      details: { upload_id: uploadId },
    })
  }
  if (declared && !isCompatible(declared, type)) {
    throw new GatewayError(
      'unsupported_media_type',
      `${name} was sent as ${declared}, but its content is ${type.mimeType}.`,
      {
        details: { upload_id: uploadId, declared_type: declared, mime_type: type.mimeType },
      },
    )
  }
  const detected = { uploadId, file, type, name }
  await checkPicture(detected, limits)
  return detected
}

async function checkArchive({ uploadId, file, name }: Omit<DetectedUpload, 'type'>, limits: Limits): Promise<void> {
  await using source = await openSpooled(file)
  const magic = await source.readAt(0, 4)
  if (magic.length < 4 || magic.readUInt32BE(0) !== ZIP_MAGIC) return
  const fault = await archiveFault(source.readAt, file.size, limits)
  if (fault === undefined) return
  throw new GatewayError(
    'invalid_request',
    `${name} is a zip file that ${fault}. Save it anew with the program that made it, or send what it holds in smaller files.`,
    {
      details: {
        upload_id: uploadId,
        reason: 'unsafe_archive',
        max_archive_entries: limits.archiveEntries,
        max_archive_bytes: limits.archiveBytes,
        max_archive_ratio: limits.archiveRatio,
      },
    },
  )
}

async function checkPicture({ uploadId, file, name, type }: DetectedUpload, limits: Limits): Promise<void> {
  // A vector picture has no pixels before it is drawn.
  if (type.kind !== 'image' || type.ext === 'svg') return
  await using source = await openSpooled(file)
  const size = await readPictureSize(source.readAt, file.size, type.ext)
  if (!size) {
    throw new GatewayError(
      'invalid_request',
      `${name} is damaged: its header does not tell its width and height. Save the picture anew.`,
      { details: { upload_id: uploadId, reason: 'unreadable_picture' } },
    )
  }
  const { width, height } = size
  if (width * height <= limits.imagePixels) return
  throw new GatewayError(
    'invalid_request',
    `${name} has ${width} x ${height} pixels; ${limits.imagePixels} in all are allowed. Send it smaller, or in parts.`,
    {
      details: { upload_id: uploadId, reason: 'too_many_pixels', width, height, max_image_pixels: limits.imagePixels },
    },
  )
}
