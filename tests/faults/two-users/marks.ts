import { randomBytes } from 'node:crypto'

// Every user's content carries a mark that nobody else's has, and that shows also where the content went as base64.

const MARK = /zqcana[0-9a-f]{8}[a-z]/g
/** Base64 of the beginning of a mark that stands at a multiple of three bytes. */
const PACKED = /enFjYW5h[A-Za-z0-9+/]{12}/g
const KEY = /uk_[A-Za-z0-9_-]{49}/g
/** Our names in the backend: of no use to a caller, so no answer has them. */
const UPSTREAM_NAME = /\b[psua]_[0-9a-f]{32}\b/

/** 15 bytes, so that it and what is repeated of it can be found as base64. */
export function createMark(letter: string): string {
  return `zqcana${randomBytes(4).toString('hex')}${letter}`
}

/** All marks in a text, also those in base64. */
export function marksIn(text: string): Set<string> {
  const packed = [...text.matchAll(PACKED)].map(([found]) => Buffer.from(found, 'base64').toString('latin1'))
  return new Set([...text.matchAll(MARK)].map(([found]) => found).concat(packed))
}

/** What may never stand in a log line. */
export function secretsIn(line: string): string[] {
  const address = /X-Amz-Signature|[?&](?:sig|user_key)=(?!\*)/i.exec(line)
  return [...marksIn(line), ...[...line.matchAll(KEY)].map(([found]) => found), ...(address ? [address[0]] : [])]
}

export function hasUpstreamName(text: string): boolean {
  return UPSTREAM_NAME.test(text)
}
