import { readFile, writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Address } from 'postal-mime'
import PostalMime, { type Email } from 'postal-mime'
import { type FileReading, type FileSection, placeText, type ReadJob } from '../file-reading.ts'
import { MOST_ATTACHMENTS, readLimit } from '../limits.ts'
import type { ReadPart, ReadTools } from '../read-tools.ts'
import { htmlText } from './html-text.ts'

function addresses(list: readonly Address[] | undefined): string {
  return (list ?? []).map(({ name, address }) => [name, address && `<${address}>`].filter(Boolean).join(' ')).join(', ')
}

/** By their names, as a mail's own types are often wrong. Pictures in it are mostly signatures. */
const READ = new Set('txt md csv tsv json html htm rtf pdf docx pptx xlsx'.split(' '))

/** What attached documents say, each section under the name of its document; those that cannot be read are left out. */
async function readAttachments({ attachments }: Email, path: string, readPart: ReadPart): Promise<FileSection[]> {
  const sections: FileSection[] = []
  let read = 0
  for (const { filename, content } of attachments) {
    const ext = extname(filename ?? '')
      .slice(1)
      .toLowerCase()
      .replace(/^htm$/, 'html')
    if (!filename || !READ.has(ext) || typeof content === 'string' || content.byteLength > readLimit(ext).bytes)
      continue
    if (++read > MOST_ATTACHMENTS) break
    const partPath = `${path}-${read}`
    await writeFile(partPath, new Uint8Array(content), { mode: 0o600 })
    const job = { path: partPath, kind: 'doc', ext, size: content.byteLength, complete: true } as const
    const reading = await readPart(job).catch(() => undefined)
    for (const section of reading?.sections ?? []) {
      const heading = `${filename}${placeText(section)}`
      sections.push({ text: `${heading}\n${section.text}`, heading })
    }
  }
  return sections
}

/** Subject, people, date, text, the names of what is attached, and what attached documents say. */
export async function readEmail({ path }: ReadJob, { readPart }: ReadTools): Promise<FileReading> {
  const mail = await PostalMime.parse(await readFile(path), { maxNestingDepth: 32 })
  const lines = [
    ['Subject', mail.subject],
    ['From', addresses(mail.from && [mail.from])],
    ['To', addresses(mail.to)],
    ['Cc', addresses(mail.cc)],
    ['Date', mail.date],
    [
      'Attachments',
      mail.attachments
        .map(({ filename }) => filename)
        .filter(Boolean)
        .join(', '),
    ],
  ].flatMap(([label, value]) => (value ? [`${label}: ${value}`] : []))
  const body = mail.text?.trim() ? mail.text : htmlText(mail.html ?? '')
  const attached = readPart ? await readAttachments(mail, path, readPart) : []
  return {
    sections: [{ text: `${lines.join('\n')}\n\n${body}` }, ...attached],
    ...(mail.subject && { title: mail.subject }),
  }
}
