import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect } from 'vitest'

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'time'],
  [/\b(?:acc|att|key|usr)_[0-9a-z]{24}\b/g, 'id'],
  [/mgk_live_[A-Za-z0-9_-]+/g, 'key'],
]
/** What the rules that weigh texts say changes with the rules; the rest with time. */
const WEIGHED = /^(.*_score|average_importance|confidence|score|duration_ms)$/
/** What is counted or indexed in the background may be so already, or not. */
const MEANWHILE = /^(access_count|total_accesses|pending|ready|next_cursor)$/

/** Ids and keys by the order in which they come up, times and weights as such. */
function normalise(value: unknown, seen = new Map<string, string>(), field = ''): unknown {
  if (value !== null && (WEIGHED.test(field) || MEANWHILE.test(field))) return `<${typeof value}>`
  if (typeof value === 'string') return normaliseText(value, seen)
  if (Array.isArray(value)) return value.map((one) => normalise(one, seen))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normalise(inner, seen, key)]))
}

function normaliseText(text: string, seen: Map<string, string>): string {
  let normal = text
  for (const [pattern, name] of PATTERNS) {
    normal = normal.replaceAll(pattern, (found) => {
      if (name === 'time') return '<time>'
      const known =
        seen.get(found) ?? `<${name}-${[...seen.values()].filter((one) => one.startsWith(`<${name}-`)).length + 1}>`
      seen.set(found, known)
      return known
    })
  }
  return normal
}

/** Compares answers with those in a file, exactly. With `UPDATE_GOLDEN=1` it writes the file. */
export function expectGolden(path: string, answers: unknown): void {
  const text = `${JSON.stringify(normalise(answers), null, 2)}\n`
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  if (!existsSync(path)) throw new Error(`${path} is not there. Write it with UPDATE_GOLDEN=1, and read what it says.`)
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(path, 'utf8')))
}
