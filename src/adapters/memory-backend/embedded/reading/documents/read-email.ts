import { readFile } from 'node:fs/promises'
import type { Address } from 'postal-mime'
import PostalMime from 'postal-mime'
import type { FileReading, ReadJob } from '../file-reading.ts'
import { htmlText } from './html-text.ts'

function addresses(list: readonly Address[] | undefined): string {
  return (list ?? []).map(({ name, address }) => [name, address && `<${address}>`].filter(Boolean).join(' ')).join(', ')
}

/** Subject, people, date, text, and the names of what is attached. */
export async function readEmail({ path }: ReadJob): Promise<FileReading> {
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
  return { text: `${lines.join('\n')}\n\n${body}`, ...(mail.subject && { title: mail.subject }) }
}
