import { createHmac } from 'node:crypto'
import type { WebhookRow } from './queries.ts'

/** Lower-case hex of the HMAC over `<timestamp>.<body>`; `timestamp` is Unix seconds, as its header has it. */
export function sign(
  { secret, signatureAlgorithm }: Pick<WebhookRow, 'secret' | 'signatureAlgorithm'>,
  timestamp: string,
  body: string,
): string {
  const hash = signatureAlgorithm === 'hmac-sha512' ? 'sha512' : 'sha256'
  return createHmac(hash, secret).update(`${timestamp}.${body}`).digest('hex')
}
