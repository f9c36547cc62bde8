import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser } from '../helpers/client.ts'
import { deployments } from '../helpers/deployments.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { seed } from '../helpers/seed.ts'

/** Requests per operation and phase. */
const EXAMPLES = Number(process.env.FAULTS_SCHEMATHESIS ?? 3)
/**
 * All that compare an answer with the document. Not that whatever the document allows is taken (`positive_data_acceptance`): rules
 * between fields, the JSON within a form's field and the form of a cursor cannot be said in it.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
]

/** What it takes for a refusal of what breaks the document: a body may be too large as well. */
const REFUSALS = `[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 413, 415, 422, 429, 503]
`

const run = promisify(execFile)
let dir: string
let command: string | undefined
let missing: string
let gateway: GatewayProcess
let drop: () => Promise<void>
let user: TestUser

beforeAll(async () => {
  try {
    command = (await run('bash', ['tests/services/schemathesis.sh', 'install'])).stdout.trim()
  } catch (error) {
    if (process.env.REQUIRE_SERVICES === '1') throw error
    missing = `schemathesis cannot be installed: ${String(error).split('\n')[0]}`
    return
  }
  dir = mkdtempSync(join(tmpdir(), 'gateway-schemathesis-'))
  const deployment = deployments.findLast(({ name, missing }) => !missing && !name.includes('S3')) ?? deployments[0]!
  const prepared = await deployment.prepare(dir)
  drop = prepared.drop
  gateway = await spawnGateway({ RELAY_WAIT_MS: '200', ...prepared.settings })
  user = await createUser(gateway.url)
}, 300_000)
afterAll(async () => {
  await gateway?.stop()
  await drop?.()
  if (dir) rmSync(dir, { recursive: true, force: true })
})

/** What schemathesis says of the gateway; `options` narrow what it asks. */
async function report(options: readonly string[], settings = ''): Promise<{ summary: string; faults: string }> {
  const config = join(dir, 'schemathesis.toml')
  writeFileSync(config, REFUSALS + settings)
  const given = ['--checks', CHECKS.join(','), '--max-examples', String(EXAMPLES), '--seed', String(seed), ...options]
  const key = ['--header', `Authorization: Bearer ${user.key}`]
  const args = [
    '--config-file',
    config,
    'run',
    `${gateway.url}/openapi.json`,
    '--continue-on-failure',
    ...key,
    ...given,
  ]
  const { stdout } = await run(command ?? '', args, { cwd: dir, maxBuffer: 2 ** 28 }).catch(
    (error: { stdout: string; code: number | string }) => {
      if (error.code !== 1) throw error
      return { stdout: error.stdout }
    },
  )
  const text = stripVTControlCharacters(stdout)
  const faults = text.includes('FAILURES') || text.includes('ERRORS') ? text : ''
  const cases = /Test cases:\n\s*(.*)/.exec(text)?.[1] ?? text.slice(-500)
  return { summary: cases, faults }
}

describe('every operation', () => {
  it('answers whatever is asked as its document says', async ({ skip }) => {
    if (!command) return skip(missing)
    const { summary, faults } = await report([])
    console.log(`schemathesis, any ids: seed ${seed}, ${summary}`)
    expect(faults).toBe('')
    expect(summary).toMatch(/^[1-9]\d* generated/)
  })

  it('answers what is asked of things that exist as its document says', async ({ skip }) => {
    if (!command) return skip(missing)
    const bytes = Buffer.from('The harbour of Bergen.')
    const added = await user.addMessage('chat:1', 'Hello', [{ field: 'a', kind: 'doc', name: 'a.txt', bytes }])
    const resource = await user.addResource({ name: 'a.txt', bytes })
    const ids = {
      user_id: user.id,
      session_id: 'chat:1',
      resource_id: resource.body.resource_id,
      attachment_id: added.body.attachments[0].attachment_id,
    }
    const settings = Object.entries(ids).map(([name, id]) => `"path.${name}" = ${JSON.stringify(id)}\n`)
    const { summary, faults } = await report(
      ['--exclude-method', 'DELETE', '--phases', 'fuzzing'],
      `[parameters]\n${settings.join('')}`,
    )
    console.log(`schemathesis, ids that exist: seed ${seed}, ${summary}`)
    expect(faults).toBe('')
    expect(summary).toMatch(/^[1-9]\d* generated/)
  })
})
