import '../src/quick-imports.ts'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from '../src/config/config.ts'
import { readEnv } from '../src/config/env.ts'
import { GatewayError } from '../src/domain/errors.ts'
import { AdminError, collect, type Json, type Operator } from './admin/operator.ts'
import { addressOf, isRunning, operateOverHttp } from './admin/over-http.ts'

// Accounts and service keys from the command line: through the gateway that runs, or on its database if none does.

const HELP = `npm run -s admin -- COMMAND

  accounts create NAME [--plan PLAN]
  accounts list
  accounts usage ACCOUNT [--from YYYY-MM-DD] [--to YYYY-MM-DD]
  keys create --account ACCOUNT --name LABEL [--project ID] [--scope read] [--scope write] [--scope admin]
              [--expires ISO-TIME] [--plan PLAN]
  keys list --account ACCOUNT
  keys rotate --account ACCOUNT KEY_ID [--grace SECONDS]
  keys revoke --account ACCOUNT KEY_ID
  admin-key new

ACCOUNT is a name or an account_id. The answer is JSON, a fault goes to the error output.
It reads the settings of the gateway (.env too): with HOST and PORT it finds the gateway, which wants its GATEWAY_ADMIN_KEY. If none runs
there it works on the database, DATABASE_URL or the embedded one in STORAGE_DIR. admin-key new always does: it makes a new key for
/admin in the place of the one that the first start printed; the gateway learns it at its next start.`

const options = {
  account: { type: 'string' },
  name: { type: 'string' },
  plan: { type: 'string' },
  project: { type: 'string' },
  scope: { type: 'string', multiple: true },
  expires: { type: 'string' },
  grace: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

interface Command {
  /** Names of what stands beside the options. */
  readonly takes: readonly string[]
  readonly needs?: readonly (keyof Values)[]
  readonly may?: readonly (keyof Values)[]
  readonly run: (operator: Operator, given: { values: Values; words: readonly string[] }) => Promise<Json>
}

const commands: Readonly<Record<string, Command>> = {
  'accounts create': {
    takes: ['NAME'],
    may: ['plan'],
    run: (operator, { values: { plan }, words: [name] }) => operator.createAccount({ name, plan }),
  },
  'accounts list': {
    takes: [],
    run: (operator) => collect('accounts', (cursor) => operator.listAccounts({ cursor, limit: '200' })),
  },
  'accounts usage': {
    takes: ['ACCOUNT'],
    may: ['from', 'to'],
    run: async (operator, { values: { from, to }, words: [account = ''] }) => {
      const id = await resolveAccount(operator, account)
      return collect('days', (cursor) => operator.getUsage(id, { from, to, cursor, limit: '1000' }))
    },
  },
  'keys create': {
    takes: [],
    needs: ['account', 'name'],
    may: ['project', 'scope', 'expires', 'plan'],
    run: async (operator, { values }) => {
      const { account = '', name, project: project_id, scope: scopes, expires: expires_at, plan } = values
      return operator.createKey(await resolveAccount(operator, account), { name, project_id, scopes, expires_at, plan })
    },
  },
  'keys list': {
    takes: [],
    needs: ['account'],
    run: async (operator, { values: { account = '' } }) => {
      const id = await resolveAccount(operator, account)
      return collect('keys', (cursor) => operator.listKeys(id, { cursor, limit: '200' }))
    },
  },
  'keys rotate': {
    takes: ['KEY_ID'],
    needs: ['account'],
    may: ['grace'],
    run: async (operator, { values: { account = '', grace }, words: [keyId = ''] }) => {
      const input = { grace_seconds: grace === undefined ? undefined : Number(grace) }
      return operator.rotateKey(await resolveAccount(operator, account), keyId, input)
    },
  },
  'keys revoke': {
    takes: ['KEY_ID'],
    needs: ['account'],
    run: async (operator, { values: { account = '' }, words: [keyId = ''] }) => {
      await operator.revokeKey(await resolveAccount(operator, account), keyId)
      return { key_id: keyId, revoked: true }
    },
  },
}

/** The command line itself is wrong. */
class UsageError extends AdminError {}

/** An id, or the name of one account. */
async function resolveAccount(operator: Operator, account: string): Promise<string> {
  if (account === 'default' || /^acc_[0-9a-z]{24}$/.test(account)) return account
  const { accounts } = await collect('accounts', (cursor) =>
    operator.listAccounts({ name: account, cursor, limit: '200' }),
  )
  const ids = (accounts as { account_id: string }[]).map(({ account_id: id }) => id)
  const [id] = ids
  if (id === undefined) throw new AdminError(`There is no account "${account}". See: accounts list`)
  if (ids.length > 1) {
    throw new AdminError(`${ids.length} accounts are named "${account}". Give one of their ids:\n${ids.join('\n')}`)
  }
  return id
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function check(name: string, { takes, needs = [], may = [] }: Command, values: Values, words: readonly string[]): void {
  const missing = needs.find((option) => values[option] === undefined)
  if (missing) throw new UsageError(`${name}: --${missing} is missing`)
  const allowed = new Set<string>([...needs, ...may])
  const foreign = Object.keys(values).find((option) => !allowed.has(option))
  if (foreign !== undefined) throw new UsageError(`${name}: it takes no --${foreign}`)
  if (values.grace !== undefined && !/^\d{1,9}$/.test(values.grace)) {
    throw new UsageError('--grace: must be a number of seconds')
  }
  if (words.length < takes.length) throw new UsageError(`${name}: ${takes[words.length]} is missing`)
  if (words.length > takes.length) throw new UsageError(`${name}: "${words[takes.length]}" is too much`)
}

/** Loaded where it is needed: a database takes longer to load than most commands to run. */
async function onDatabase(config: Config) {
  const { operateOnDatabase } = await import('./admin/on-database.ts')
  return operateOnDatabase(config)
}

/** What the command answers, or the help. */
async function run(args: string[]): Promise<Json | string> {
  const { values, positionals } = parse(args)
  if (values.help || positionals.length === 0) return HELP
  const [noun, verb, ...words] = positionals
  const name = `${noun} ${verb ?? ''}`.trim()
  const command = commands[name]
  if (name !== 'admin-key new' && !command) throw new UsageError(`There is no command "${name}".`)
  check(name, command ?? { takes: [], run: () => Promise.resolve({}) }, values, words)
  if (existsSync('.env')) process.loadEnvFile('.env')
  const config = loadConfig(readEnv())
  if (!command) {
    await using database = await onDatabase(config)
    const adminKey = await database.renewAdminKey()
    if (config.adminKey !== undefined)
      process.stderr.write('GATEWAY_ADMIN_KEY is set: as long as it is, it alone counts.\n')
    return { admin_key: adminKey }
  }
  const base = addressOf(config)
  await using operator =
    base !== undefined && (await isRunning(base)) ? operateOverHttp(base, config.adminKey) : await onDatabase(config)
  return await command.run(operator, { values, words })
}

/** Of what nobody foresaw, also why: a failed query names its reason there. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof GatewayError || error.cause === undefined) return error.message
  return `${error.message}\n${wordsOf(error.cause)}`
}

try {
  const answer = await run(process.argv.slice(2))
  console.log(typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2))
} catch (error) {
  console.error(wordsOf(error))
  if (error instanceof UsageError) console.error('\nSee: npm run -s admin -- --help')
  process.exitCode = error instanceof UsageError ? 2 : 1
}
