import { describe, expect, it } from 'vitest'
import { hashKey, issueKey, looksLikeKey } from './secret-key.ts'

describe('keys', () => {
  it('are random, keep only their hash and prefix, and look like keys', () => {
    const [one, two] = [issueKey('uk_'), issueKey('uk_')]
    expect(one.secret).not.toBe(two.secret)
    expect(one.hash).toBe(hashKey(one.secret))
    expect(one.secret.startsWith(one.prefix)).toBe(true)
    expect(looksLikeKey('uk_', one.secret)).toBe(true)
  })

  it('are told from what was mistyped, cut or made up', () => {
    const { secret } = issueKey('uk_')
    const flipped = secret.slice(0, 20) + (secret[20] === 'A' ? 'B' : 'A') + secret.slice(21)
    for (const wrong of [flipped, secret.slice(0, -1), `${secret}x`, `mgk_${secret.slice(3)}`, '', "uk_' or 1=1"]) {
      expect(looksLikeKey('uk_', wrong)).toBe(false)
    }
  })
})
