import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, createUser } from '../helpers/client.ts'
import { assertAvailable, type Deployment, embeddedDeployment, servicesDeployment } from '../helpers/deployments.ts'
import { failToStart, type GatewayProcess, inherited, quickStart, spawnGateway } from '../helpers/process.ts'

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command as a person does who has set these settings, and no others. */
function admin(settings: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const env = { ...inherited, ...settings }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...quickStart(settings), 'scripts/admin.ts', ...args],
      { env },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
      },
    )
  })
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked at freely in tests
async function answerOf(settings: Record<string, string>, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await admin(settings, ...args)
  expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const keysIn = ({ log }: GatewayProcess) => log.flatMap((line) => line.match(/mga_[\w-]+/g) ?? [])
const mayAdminister = async ({ url }: { url: string }, key: string) =>
  (await call(`${url}/admin/accounts`, { headers: { authorization: `Bearer ${key}` } })).status === 200
const portOf = ({ url }: { url: string }) => new URL(url).port

const plans = { free: { memories: 1000, searches_per_day: 100 } }

describe.each([embeddedDeployment, servicesDeployment])('on $name', (deployment: Deployment) => {
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }
  const isEmbedded = deployment === embeddedDeployment
  let dir: string
  let settings: Record<string, string>
  let drop: () => Promise<void>
  let adminKey: string
  let gateway: GatewayProcess | undefined
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gateway-admin-'))
    const prepared = await deployment.prepare(dir, !isEmbedded)
    drop = prepared.drop
    const plansFile = join(dir, 'plans.json')
    writeFileSync(plansFile, JSON.stringify(plans))
    settings = { ...prepared.settings, PLANS_FILE: plansFile }
  })
  afterAll(async () => {
    await gateway?.stop()
    await drop?.()
    rmSync(dir, { recursive: true, force: true })
  })

  it('the first start makes an admin key and prints it once, outside the log', async () => {
    const starts = isEmbedded ? [spawnGateway(settings)] : [spawnGateway(settings), spawnGateway(settings)]
    const gateways = await Promise.all(starts)
    const printed = gateways.flatMap(keysIn)
    expect(printed).toEqual([expect.stringMatching(/^mga_[\w-]{49}$/)])
    adminKey = printed[0] ?? ''
    const logged = gateways.flatMap(({ log }) => log.filter((line) => line.startsWith('{')))
    expect(logged.filter((line) => line.includes(adminKey))).toEqual([])
    for (const one of gateways) {
      expect(await mayAdminister(one, adminKey)).toBe(true)
      expect(await mayAdminister(one, `${adminKey.slice(0, -1)}x`)).toBe(false)
      await createUser(one.url)
    }
    await Promise.all(gateways.map((one) => one.stop()))
  })

  it('commands work on the database while no gateway runs', async () => {
    const onDatabase = { ...settings, PORT: '0' }
    const name = 'My shop'
    const account = await answerOf(onDatabase, 'accounts', 'create', name, '--plan', 'free')
    expect(account).toMatchObject({ account_id: expect.stringMatching(/^acc_/), name, plan: 'free' })
    const create = ['keys', 'create', '--account', name, '--name', 'Prod', '--project', 'shop']
    const rights = ['--scope', 'read', '--scope', 'admin', '--expires', '2999-01-01T00:00:00Z']
    const made = await answerOf(onDatabase, ...create, ...rights)
    expect(made).toMatchObject({
      api_key: expect.stringMatching(/^mgk_live_/),
      name: 'Prod',
      project_id: 'shop',
      scopes: ['read', 'admin'],
      expires_at: '2999-01-01T00:00:00.000Z',
    })
    const rotated = await answerOf(onDatabase, 'keys', 'rotate', '--account', account.account_id, made.key_id)
    expect(rotated).toMatchObject({ name: 'Prod', replaces: made.key_id })
    const { keys } = await answerOf(onDatabase, 'keys', 'list', '--account', name)
    expect(keys.map(({ key_id }: { key_id: string }) => key_id)).toEqual([rotated.key_id, made.key_id])
    expect(JSON.stringify(keys)).not.toContain(rotated.api_key)
    expect(await answerOf(onDatabase, 'keys', 'revoke', '--account', name, rotated.key_id)).toEqual({
      key_id: rotated.key_id,
      revoked: true,
    })
    expect(await answerOf(onDatabase, 'accounts', 'usage', name)).toMatchObject({
      days: [],
      limits: [{ metric: 'searches' }, { metric: 'memories', limit: 1000 }],
    })
  })

  // What follows from the name does not depend on the database, and each command on the embedded one takes seconds.
  it.skipIf(isEmbedded)('a name that two accounts have is refused, with their ids', async () => {
    const onDatabase = { ...settings, PORT: '0' }
    const ids = []
    for (const _ of ['one', 'two']) ids.push((await answerOf(onDatabase, 'accounts', 'create', 'Twin')).account_id)
    const { code, stdout, stderr } = await admin(onDatabase, 'keys', 'list', '--account', 'Twin')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    for (const id of ids) expect(stderr).toContain(id)
    expect((await answerOf(onDatabase, 'keys', 'list', '--account', ids[0])).keys).toEqual([])
  })

  it('the second start prints none, and knows the first', async () => {
    gateway = await spawnGateway(settings)
    expect(keysIn(gateway)).toEqual([])
    expect(await mayAdminister(gateway, adminKey)).toBe(true)
  })

  it('commands go through the gateway that runs, with its admin key', async () => {
    if (!gateway) throw new Error('The second start failed.')
    const there = { ...settings, PORT: portOf(gateway) }
    for (const [key, words] of [
      [undefined, /^A gateway runs at http:\/\/127\.0\.0\.1:\d+\. Set GATEWAY_ADMIN_KEY in the environment/],
      ['not-the-admin-key', /^GATEWAY_ADMIN_KEY is not the admin key of the gateway at http/],
    ] as const) {
      const given = { ...there, ...(key !== undefined && { GATEWAY_ADMIN_KEY: key }) }
      const { code, stdout, stderr } = await admin(given, 'accounts', 'list')
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(words) })
    }
    const through = { ...there, GATEWAY_ADMIN_KEY: adminKey }
    const { accounts } = await answerOf(through, 'accounts', 'list')
    const names = accounts.map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['My shop', 'Native API']))
    const made = await answerOf(through, 'keys', 'create', '--account', 'My shop', '--name', 'Dev', '--plan', 'free')
    const rotate = ['keys', 'rotate', '--account', 'My shop', made.key_id, '--grace', '60']
    const rotated = await answerOf(through, ...rotate)
    expect(rotated).toMatchObject({ plan: 'free', scopes: ['read', 'write'], replaces: made.key_id })
    await answerOf(through, 'keys', 'revoke', '--account', 'My shop', made.key_id)
    const { keys } = await answerOf(through, 'keys', 'list', '--account', 'My shop')
    expect(keys[0]).toMatchObject({ key_id: rotated.key_id, revoked_at: null })
    expect(keys[1]).toMatchObject({ key_id: made.key_id, revoked_at: expect.any(String) })
    expect(await answerOf(through, 'accounts', 'usage', 'My shop')).toMatchObject({ memories: 0 })
    const refused = await admin(through, 'accounts', 'create', 'x', '--plan', 'gold')
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('Configured are: free.') })
    if (!isEmbedded) return
    const locked = await admin({ ...settings, PORT: '0' }, 'accounts', 'list')
    expect(locked).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is in use by process') })
  })

  it('a key that is set takes its place', async () => {
    await gateway?.stop()
    const own = 'the-operators-own-key'
    gateway = await spawnGateway({ ...settings, GATEWAY_ADMIN_KEY: own })
    expect(keysIn(gateway)).toEqual([])
    expect(await mayAdminister(gateway, own)).toBe(true)
    expect(await mayAdminister(gateway, adminKey)).toBe(false)
  })

  it('a new admin key replaces the old one at the next start', async () => {
    await gateway?.stop()
    const { admin_key: next } = await answerOf(settings, 'admin-key', 'new')
    gateway = await spawnGateway(settings)
    expect(keysIn(gateway)).toEqual([])
    expect(await mayAdminister(gateway, next)).toBe(true)
    expect(await mayAdminister(gateway, adminKey)).toBe(false)
  })
})

describe('the command line', () => {
  it('explains itself', async () => {
    for (const args of [['--help'], [], ['keys', 'create', '-h']]) {
      const { code, stdout } = await admin({}, ...args)
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('accounts create NAME') })
    }
  })

  it.each([
    [['accounts'], 'There is no command "accounts".'],
    [['accounts', 'remove', 'x'], 'There is no command "accounts remove".'],
    [['accounts', 'create'], 'NAME is missing'],
    [['accounts', 'create', 'a', 'b'], '"b" is too much'],
    [['accounts', 'create', 'a', '--name', 'b'], 'it takes no --name'],
    [['accounts', 'list', '--verbose'], "Unknown option '--verbose'"],
    [['keys', 'create', '--name', 'x'], '--account is missing'],
    [['keys', 'revoke', '--account', 'x'], 'KEY_ID is missing'],
    [['keys', 'rotate', '--account', 'x', 'key_1', '--grace', 'soon'], '--grace: must be a number of seconds'],
    [['admin-key', 'new', '--plan', 'x'], 'it takes no --plan'],
  ])('refuses %j', async (args, words) => {
    const dir = mkdtempSync(join(tmpdir(), 'gateway-admin-'))
    const { code, stdout, stderr } = await admin({ STORAGE_DIR: dir, PORT: '0' }, ...args)
    rmSync(dir, { recursive: true, force: true })
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(words) })
  })

  it('takes nothing else for a gateway', async () => {
    const other = createServer((_request, response) => void response.end('{"status":"fine"}'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const PORT = String((other.address() as AddressInfo).port)
    const { code, stderr } = await admin({ PORT, GATEWAY_ADMIN_KEY: 'a-key-that-is-a-secret' }, 'accounts', 'list')
    other.close()
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('is no gateway. Set HOST and PORT') })
  })
})

it('plans that cannot be read stop the start, and the fault names the setting', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-plans-'))
  const path = join(dir, 'plans.json')
  writeFileSync(path, '{"free": {"memories": -1, "searches": 5}}')
  const { code, output } = await failToStart({ STORAGE_DIR: dir, PLANS_FILE: path })
  rmSync(dir, { recursive: true, force: true })
  expect(code).toBe(1)
  for (const word of ['PLANS_FILE: ', 'free → memories', 'Unrecognized key: "searches"']) expect(output).toContain(word)
})
