import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../config/config.ts'
import { readEnv } from '../../config/env.ts'
import { createEvents } from '../../observability/events.ts'
import { createLogger } from '../../observability/logger.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { UploadGate } from './upload-gate.ts'

function gate() {
  const { limits, log } = loadConfig(readEnv({ MAX_UPLOADS: '3', MAX_UPLOADS_PER_USER: '2', LOG_LEVEL: 'silent' }))
  return new UploadGate(limits, createEvents(createMetrics(), createLogger(log)))
}

describe('the upload gate', () => {
  it('is full for the process at its limit, and open again when one leaves', () => {
    const uploads = gate()
    const places = [uploads.enter(), uploads.enter(), uploads.enter()]
    const full = { code: 'unavailable', retryAfter: 1, details: { max_uploads: 3 } }
    expect(() => uploads.enter()).toThrow(expect.objectContaining(full))
    expect(() => uploads.checkRoom()).toThrow(expect.objectContaining(full))
    places[0]?.[Symbol.dispose]()
    places[0]?.[Symbol.dispose]()
    expect(() => uploads.checkRoom()).not.toThrow()
    expect(() => uploads.enter()).not.toThrow()
    expect(() => uploads.enter()).toThrow(expect.objectContaining(full))
  })

  it('has eight places of their own for those who are not known yet', () => {
    const uploads = gate()
    const strangers = Array.from({ length: 8 }, () => uploads.enterUnidentified())
    const full = { code: 'unavailable', details: { max_uploads: 8 } }
    expect(() => uploads.enterUnidentified()).toThrow(expect.objectContaining(full))
    expect(() => uploads.enter()).not.toThrow()
    strangers[0]?.[Symbol.dispose]()
    expect(() => uploads.enterUnidentified()).not.toThrow()
  })

  it('keeps room for the bodies of known callers, whatever strangers send', () => {
    const uploads = gate()
    const half = 16 * 1024 * 1024
    uploads.holdBody(half, false)
    const held = uploads.holdBody(half, false)
    expect(() => uploads.holdBody(1, false)).toThrow(expect.objectContaining({ code: 'unavailable', retryAfter: 1 }))
    expect(() => uploads.holdBody(8 * half, true)).not.toThrow()
    expect(() => uploads.holdBody(1, true)).toThrow(expect.objectContaining({ code: 'unavailable', retryAfter: 1 }))
    held[Symbol.dispose]()
    expect(() => uploads.holdBody(half, false)).not.toThrow()
  })

  it('is full for one user and open for another', () => {
    const uploads = gate()
    const first = uploads.enterAs('a')
    uploads.enterAs('a')
    expect(() => uploads.enterAs('a')).toThrow(expect.objectContaining({ code: 'rate_limited' }))
    expect(() => uploads.enterAs('b')).not.toThrow()
    first[Symbol.dispose]()
    expect(() => uploads.enterAs('a')).not.toThrow()
  })
})
