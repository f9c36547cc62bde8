import { z } from '@hono/zod-openapi'
import { keyScopes } from '../domain/accounts/authenticate-key.ts'
import type { CreatedApiKey as NewApiKey } from '../domain/accounts/create-api-key.ts'
import type { AccountRow, ApiKeyRow } from '../domain/accounts/queries.ts'
import type { EndUserRow } from '../domain/accounts/user-queries.ts'
import type { Usage as UsageOfAccount } from '../domain/usage/get-usage.ts'
import { nextCursor } from './schemas.ts'

export const Account = z
  .object({
    account_id: z.string(),
    name: z.string(),
    plan: z.string().nullable().describe('Null: no limits'),
    created_at: z.string(),
  })
  .openapi('Account')

const keyFields = {
  key_id: z.string(),
  number: z.number().int().describe("The id of the key in an API that wants a number, as MemorySync's does"),
  name: z.string(),
  prefix: z.string().describe('The first characters of the key'),
  project_id: z.string().nullable().describe('The only project it works in; null: any'),
  scopes: z.array(z.enum(keyScopes)),
  plan: z.string().nullable().describe("Beside the account's"),
  created_at: z.string(),
  expires_at: z.string().nullable(),
}

export const ApiKey = z
  .object({
    ...keyFields,
    last_used_at: z.string().nullable().describe('To the minute'),
    revoked_at: z.string().nullable(),
  })
  .openapi('ApiKey')

export const CreatedApiKey = z
  .object({ ...keyFields, api_key: z.string().describe('Shown once') })
  .openapi('CreatedApiKey')

export const RotatedApiKey = CreatedApiKey.extend({
  replaces: z.string().describe('The key_id of the old key'),
}).openapi('RotatedApiKey')

export const EndUser = z
  .object({
    project_id: z.string(),
    user_id: z.string().nullable().describe('Null: the owner of what belongs to no user'),
    memory_count: z.number().int().describe('In sight'),
    created_at: z.string(),
  })
  .openapi('EndUser')

const used = {
  requests: z.number().int(),
  adds: z.number().int(),
  searches: z.number().int(),
  tokens: z.number().int(),
}

export const Usage = z
  .object({
    account_id: z.string(),
    plan: z.string().nullable(),
    from: z.string(),
    to: z.string(),
    days: z.array(z.object({ date: z.string(), key_id: z.string(), ...used })),
    month: z.object({ starts_at: z.string(), ...used }).describe('The current month, all keys together'),
    memories: z.number().int().describe('Neither archived nor expired'),
    limits: z
      .array(
        z.object({
          metric: z.enum(['requests', 'adds', 'searches', 'tokens', 'memories']),
          period: z.enum(['minute', 'day', 'month']).nullable(),
          limit: z.number().int(),
          used: z.number().int(),
          remaining: z.number().int(),
          reset_at: z.string().nullable(),
        }),
      )
      .nullable()
      .describe("Of the account's plan; null if that is not configured"),
    ...nextCursor,
  })
  .openapi('AccountUsage')

export function toAccount({ id, name, plan, createdAt }: AccountRow): z.infer<typeof Account> {
  return { account_id: id, name, plan, created_at: createdAt.toISOString() }
}

export function toApiKey(row: ApiKeyRow): z.infer<typeof ApiKey> {
  return {
    key_id: row.id,
    number: row.number,
    name: row.name,
    prefix: row.prefix,
    project_id: row.projectId,
    scopes: row.scopes,
    plan: row.plan,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
  }
}

export function toCreatedApiKey(row: NewApiKey): z.infer<typeof CreatedApiKey> {
  const { last_used_at: _, revoked_at: __, ...key } = toApiKey(row)
  return { ...key, api_key: row.secret }
}

export function toEndUser(row: EndUserRow): z.infer<typeof EndUser> {
  return {
    project_id: row.projectId,
    user_id: row.kind === 'owner' ? null : row.externalId,
    memory_count: row.memoryCount,
    created_at: row.createdAt.toISOString(),
  }
}

export function toUsage({ account, month, ...usage }: UsageOfAccount): z.infer<typeof Usage> {
  const { startsAt, ...totals } = month
  return {
    account_id: account.id,
    plan: account.plan,
    from: usage.from,
    to: usage.to,
    days: usage.days.map(({ date, keyId, requests, adds, searches, tokens }) => ({
      date,
      key_id: keyId,
      requests,
      adds,
      searches,
      tokens,
    })),
    month: { starts_at: startsAt.toISOString(), ...totals },
    memories: usage.memories,
    limits:
      usage.limits?.map(({ metric, period, limit, used: count, remaining, resetAt }) => ({
        metric,
        period,
        limit,
        used: count,
        remaining,
        reset_at: resetAt?.toISOString() ?? null,
      })) ?? null,
    next_cursor: usage.nextCursor,
  }
}
