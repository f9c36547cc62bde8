import { readFileSync, writeFileSync } from 'node:fs'
import { describeApi } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { readEnv } from '../src/config/env.ts'

// Writes docs/openapi.json, or with --check fails if it is not what the code says.
const path = 'docs/openapi.json'
const document = `${JSON.stringify(describeApi(loadConfig(readEnv({})).limits), null, 2)}\n`
if (!process.argv.includes('--check')) {
  writeFileSync(path, document)
} else if (readFileSync(path, 'utf8') !== document) {
  console.error(`${path} is not what the code says. Run: npm run openapi`)
  process.exitCode = 1
}
