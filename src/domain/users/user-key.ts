import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const CHECKSUM_LENGTH = 6
const SHAPE = new RegExp(`^uk_[A-Za-z0-9_-]{43}[a-z0-9]{${CHECKSUM_LENGTH}}$`)

function checksum(body: string): string {
  return crc32(body).toString(36).padStart(7, '0').slice(-CHECKSUM_LENGTH)
}

export interface IssuedKey {
  /** The key itself: shown once, never kept. */
  readonly secret: string
  readonly hash: string
  /** Its first characters, by which a person tells keys apart. */
  readonly prefix: string
}

/** `uk_`, 32 random bytes in base64url, and a checksum by which secret scanners know it. */
export function issueUserKey(): IssuedKey {
  const body = `uk_${randomBytes(32).toString('base64url')}`
  const secret = body + checksum(body)
  return { secret, hash: hashKey(secret), prefix: secret.slice(0, 10) }
}

/** SHA-256 suffices: the key has 256 random bits, and a slow hash would be a lever for overload. */
export function hashKey(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** False for what cannot be a key, so that it costs no query. */
export function looksLikeUserKey(secret: string): boolean {
  return SHAPE.test(secret) && checksum(secret.slice(0, -CHECKSUM_LENGTH)) === secret.slice(-CHECKSUM_LENGTH)
}
