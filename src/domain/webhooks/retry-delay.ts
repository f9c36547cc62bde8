import type { WebhookRow } from './queries.ts'

type RetrySettings = Pick<
  WebhookRow,
  'retryEnabled' | 'maxRetries' | 'initialDelay' | 'maxDelay' | 'backoffMultiplier' | 'retryStatusCodes'
>

/** Attempts of one delivery in all. */
export function maxAttempts({ retryEnabled, maxRetries }: RetrySettings): number {
  return retryEnabled ? maxRetries + 1 : 1
}

/** Receivers that were away together are not to be called together: a delay is this much longer or shorter, by chance. */
const JITTER = 0.2

/**
 * Seconds until the next attempt, after `attempts` of them. It grows with each, and is never over the webhook's longest; what the receiver asked for
 * (`Retry-After`) is waited for within that.
 */
export function retryDelay(
  { initialDelay, maxDelay, backoffMultiplier }: RetrySettings,
  attempts: number,
  askedFor: number | undefined,
  random: () => number = Math.random,
): number {
  const grown = Math.min(maxDelay, initialDelay * backoffMultiplier ** (attempts - 1))
  const jittered = grown * (1 - JITTER + 2 * JITTER * random())
  return Math.min(maxDelay, Math.max(jittered, askedFor ?? 0))
}

/** Whether another attempt makes sense after this status. */
export function isRetried({ retryStatusCodes }: RetrySettings, status: number): boolean {
  return retryStatusCodes.some((code) => code === String(status) || code === `${Math.floor(status / 100)}xx`)
}
