import { randomBytes } from 'node:crypto'

const PREFIX = 'whsec_'
/** So much of it is shown later, by which a person tells secrets apart. */
const SHOWN = 6

/** The key of the HMAC is this text itself, prefix included. */
export function createWebhookSecret(): string {
  return `${PREFIX}${randomBytes(32).toString('base64url')}`
}

export function secretPrefix(secret: string): string {
  return secret.slice(0, PREFIX.length + SHOWN)
}
