import { zipSync } from 'fflate'
import mammoth from 'mammoth'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { htmlSections } from './html-text.ts'
import { CORE_PROPERTIES, officeTitle } from './office-title.ts'
import { unzipParts } from './unzip-parts.ts'

const PARTS = /^(?:\[Content_Types\]\.xml|(?:.*\/)?_rels\/[^/]*\.rels|word\/[^/]*\.xml)$/

/** mammoth unpacks whatever a zip holds: it is given a new one of the checked parts, and no pictures. */
export async function readDocx({ path }: ReadJob): Promise<FileReading> {
  const parts = await unzipParts(path, (name) => PARTS.test(name) || name === CORE_PROPERTIES)
  if (!parts.has('word/document.xml')) throw new UnreadableFileError('it has no text part')
  const checked = Buffer.from(zipSync(Object.fromEntries(parts), { level: 0 }))
  const convertImage = mammoth.images.imgElement(() => Promise.resolve({ src: '' }))
  const { value } = await mammoth.convertToHtml({ buffer: checked }, { convertImage, externalFileAccess: false })
  return { sections: htmlSections(value), ...officeTitle(parts) }
}
