import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** What a surface answered: enough to answer it again. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const IV_BYTES = 12
const TAG_BYTES = 16

/** Encrypts an answer under the caller's `Idempotency-Key`, of which the database has only a hash. */
export function sealAnswer(key: string, id: string, answer: Answer): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secretOf(key, id), iv)
  const sealed = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
}

export function openAnswer(key: string, id: string, text: string): Answer {
  const bytes = Buffer.from(text, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', secretOf(key, id), bytes.subarray(0, IV_BYTES))
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
  const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
  return JSON.parse(opened.toString()) as Answer
}

function secretOf(key: string, id: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, id, 'memory-gateway answer', 32))
}

/**
 * SHA-256, in hex, of any JSON value; objects whose keys come in another order are the same. Nothing is copied but one string at a
 * time, and the depth does not matter: a body may be large, and hostile.
 */
export function fingerprint(value: unknown): string {
  const hash = createHash('sha256')
  const rest = [value]
  while (rest.length > 0) {
    const next = rest.pop()
    if (typeof next === 'string') hash.update(`s${next.length}:`).update(next)
    else if (typeof next !== 'object' || next === null) hash.update(`${JSON.stringify(next)};`)
    else {
      const entries = Object.entries(next).sort(([a], [b]) => (a < b ? -1 : 1))
      hash.update(`${Array.isArray(next) ? 'a' : 'o'}${entries.length}:`)
      for (const [name, inner] of entries) rest.push(inner, name)
    }
  }
  return hash.digest('hex')
}
