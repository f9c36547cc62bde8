import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runClient, vendorPython } from '../helpers/vendor-clients.ts'

const python = await vendorPython()

describe.skipIf(!python)('docs/dialects.md', () => {
  it("has every method of the vendors' Python clients", async () => {
    const said = await runClient(python ?? '', 'list_methods.py', {})
    const methods = Object.values(JSON.parse(said) as Record<string, string[]>).flat()
    expect(methods.length).toBeGreaterThan(150)
    const rows = readFileSync('docs/dialects.md', 'utf8').matchAll(/^\| `[A-Z]+ \/\S+` \| ([^|]+) \|/gm)
    const documented = new Set([...rows].flatMap(([, names = '']) => names.replaceAll('`', '').split(', ')))
    expect(methods.filter((method) => !documented.has(method))).toEqual([])
  })
})
