import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError } from './env.ts'
import { readPlans } from './plans.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'plans-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const file = () => join(dir, 'plans.json')
const read = (text: string) => {
  writeFileSync(file(), text)
  return readPlans(file())
}

describe('plans', () => {
  test('there are none without a file', () => {
    expect(readPlans(undefined)).toEqual(new Map())
  })

  test('those of the example', () => {
    expect(readPlans('docs/plans.example.json')).toEqual(
      new Map([
        ['free', { memories: 1_000, searchesPerDay: 100, tokensPerMonth: 100_000 }],
        ['starter', { memories: 100_000, searchesPerMonth: 1_000, tokensPerMonth: 1_000_000 }],
        ['pro', { memories: 1_000_000, searchesPerMonth: 10_000, tokensPerMonth: 10_000_000 }],
        ['enterprise', {}],
      ]),
    )
  })

  test('may bound all that is counted', () => {
    const plan = {
      requests_per_minute: 1,
      requests_per_month: 2,
      memories: 3,
      adds_per_month: 4,
      searches_per_day: 5,
      searches_per_month: 6,
      tokens_per_month: 0,
    }
    expect(read(JSON.stringify({ all: plan })).get('all')).toEqual({
      requestsPerMinute: 1,
      requestsPerMonth: 2,
      memories: 3,
      addsPerMonth: 4,
      searchesPerDay: 5,
      searchesPerMonth: 6,
      tokensPerMonth: 0,
    })
  })

  test.each([
    ['{"free": {"memories": -1}}', /^PLANS_FILE: .*plans\.json → free → memories: /],
    ['{"free": {"memories": 1.5}}', /^PLANS_FILE: .*plans\.json → free → memories: /],
    ['{"free": {"searches": 5}}', /^PLANS_FILE: .*plans\.json → free: Unrecognized key: "searches"/],
    ['{"a plan": {}}', /^PLANS_FILE: .*plans\.json → a plan: /],
    ['[]', /^PLANS_FILE: .*plans\.json: .*expected record/],
    ['{', /^PLANS_FILE: cannot read plans from .*plans\.json/],
  ])('%s is refused, and the fault says where', (text, words) => {
    expect(() => read(text)).toThrow(ConfigError)
    expect(() => read(text)).toThrow(words)
  })

  test('a file that is not there is refused', () => {
    expect(() => readPlans(join(dir, 'nothing.json'))).toThrow(/^PLANS_FILE: cannot read plans from .*ENOENT/)
  })
})
