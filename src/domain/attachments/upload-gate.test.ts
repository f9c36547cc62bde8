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
    expect(() => uploads.enter()).toThrow(expect.objectContaining({ code: 'unavailable', retryAfter: 1 }))
    places[0]?.[Symbol.dispose]()
    expect(() => uploads.enter()).not.toThrow()
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
