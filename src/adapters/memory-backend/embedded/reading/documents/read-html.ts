import { readFile } from 'node:fs/promises'
import type { FileReading, ReadJob } from '../file-reading.ts'
import { decodeText } from './decode-text.ts'
import { htmlSections } from './html-text.ts'
import { decodeEntities } from './xml-text.ts'

const HEAD = 4_096

export async function readHtml({ path, complete }: ReadJob): Promise<FileReading> {
  const bytes = await readFile(path)
  const charset = /charset\s*=\s*["']?([\w-]{2,30})/i.exec(bytes.subarray(0, HEAD).toString('latin1'))?.[1]
  const html = decodeText(bytes, complete, charset)
  const title = /<title[^<>]*>([^<]*)<\/title/i.exec(html)?.[1]
  return {
    sections: htmlSections(html),
    ...(title !== undefined && { title: decodeEntities(title.replace(/\s+/g, ' ')) }),
  }
}
