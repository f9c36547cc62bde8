import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** `uk_`: of a user. `mgk_live_`: of an account, for its applications. `mga_`: the admin's, where the gateway made it. */
export type KeyPrefix = 'uk_' | 'mgk_live_' | 'mga_'

const CHECKSUM_LENGTH = 6
/** So much of it is kept in clear, by which a person tells keys apart. */
const SHOWN = 7
const SHAPE = new RegExp(`^(uk_|mgk_live_|mga_)[A-Za-z0-9_-]{43}[a-z0-9]{${CHECKSUM_LENGTH}}$`)

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

/** The prefix, 32 random bytes in base64url, and a checksum by which secret scanners know it. */
export function issueKey(prefix: KeyPrefix): IssuedKey {
  const body = `${prefix}${randomBytes(32).toString('base64url')}`
  const secret = body + checksum(body)
  return { secret, hash: hashKey(secret), prefix: secret.slice(0, prefix.length + SHOWN) }
}

/** SHA-256 suffices: the key has 256 random bits, and a slow hash would be a lever for overload. */
export function hashKey(secret: string): string {
  return hash('sha256', secret)
}

/** False for what cannot be a key of that prefix, so that it costs no query. */
export function looksLikeKey(prefix: KeyPrefix, secret: string): boolean {
  return (
    SHAPE.exec(secret)?.[1] === prefix && checksum(secret.slice(0, -CHECKSUM_LENGTH)) === secret.slice(-CHECKSUM_LENGTH)
  )
}
