import { nanoid } from 'nanoid'
import type { Config } from '../../src/config/config.ts'
import { readPlans } from '../../src/config/plans.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { migratePglite, migratePostgres } from '../../src/db/migrate.ts'
import { renewAdminKey } from '../../src/domain/accounts/admin-key.ts'
import { createAccount } from '../../src/domain/accounts/create-account.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { listAccounts } from '../../src/domain/accounts/list-accounts.ts'
import { listApiKeys } from '../../src/domain/accounts/list-api-keys.ts'
import { revokeApiKey } from '../../src/domain/accounts/revoke-api-key.ts'
import { rotateApiKey } from '../../src/domain/accounts/rotate-api-key.ts'
import type { OperatorContext } from '../../src/domain/context.ts'
import { getUsage } from '../../src/domain/usage/get-usage.ts'
import { UsageLedger } from '../../src/domain/usage/usage-ledger.ts'
import { toAccount, toApiKey, toCreatedApiKey, toUsage } from '../../src/http/account-bodies.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { AdminError, type Operator } from './operator.ts'

/** The commands on the database of a gateway that does not run. It is brought up to date first; an embedded one is locked meanwhile. */
export async function operateOnDatabase(config: Config): Promise<Operator & { renewAdminKey(): Promise<string> }> {
  const plans = readPlans(config.plansFile)
  const database = await openDatabase(config)
  const usage = new UsageLedger(database.db, createLogger({ level: 'silent', format: 'json' }))
  const ctx: OperatorContext = { services: { db: database.db, plans, usage }, requestId: `command:${nanoid()}` }
  return {
    createAccount: async (input) => toAccount(await createAccount(ctx, input)),
    listAccounts: async (query) => {
      const { items, nextCursor } = await listAccounts(ctx, query)
      return { accounts: items.map(toAccount), next_cursor: nextCursor }
    },
    getUsage: async (id, query) => toUsage(await getUsage(ctx, id, query)),
    createKey: async (id, input) => toCreatedApiKey(await createApiKey(ctx, id, input)),
    listKeys: async (id, query) => {
      const { items, nextCursor } = await listApiKeys(ctx, id, query)
      return { keys: items.map(toApiKey), next_cursor: nextCursor }
    },
    rotateKey: async (id, keyId, input) => ({
      ...toCreatedApiKey(await rotateApiKey(ctx, id, keyId, input)),
      replaces: keyId,
    }),
    revokeKey: async (id, keyId) => void (await revokeApiKey(ctx, id, keyId)),
    renewAdminKey: async () => (await renewAdminKey(ctx)).secret,
    [Symbol.asyncDispose]: () => database.close(),
  }
}

async function openDatabase({ database }: Config): Promise<DatabaseConnection> {
  if (database.kind === 'pglite') {
    const { openPglite } = await import('../../src/db/pglite.ts')
    const connection = await openPglite({ dataDir: database.dir }).catch(explainLock)
    await migratePglite(connection.client)
    return connection
  }
  const { openPostgres } = await import('../../src/db/postgres.ts')
  const connection = await openPostgres({ url: database.url, maxConnections: 2 })
  await migratePostgres(database.url)
  return connection
}

function explainLock(error: unknown): never {
  if (!(error instanceof Error && error.message.includes('is in use by'))) throw error
  throw new AdminError(`${error.message}\nTo work through it instead, set HOST and PORT to its address.`)
}
