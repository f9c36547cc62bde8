import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type OperatorContext, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { issueKey } from '../secret-key.ts'
import { isKeptInstant, OUTSIDE_TIME } from '../text-schemas.ts'
import { emitKeyEvent } from '../webhooks/key-events.ts'
import { keyRealm, unknownAccount } from './key-realm.ts'
import { type ApiKeyRow, findAccount, insertApiKey } from './queries.ts'
import { requirePlan } from './require-plan.ts'
import { CreateApiKeyInput } from './schemas.ts'

/** `secret` is shown here and never again. */
export type CreatedApiKey = ApiKeyRow & { readonly secret: string }

/**
 * Another key of an account. `not_found` if there is no such account, `invalid_request` for an unknown plan, or an end that is past; `forbidden` for a
 * project that is not the asking key's.
 */
export async function createApiKey(
  ctx: OperatorContext | ServiceContext,
  accountId: string,
  input: unknown,
  also: AlsoStore<CreatedApiKey> = nothingElse,
): Promise<CreatedApiKey> {
  const { name, project_id, scopes, plan = null, expires_at } = parseInput(CreateApiKeyInput, input)
  const realm = keyRealm(ctx, accountId)
  if (realm.projectId !== undefined && project_id !== undefined && project_id !== realm.projectId) {
    throw new GatewayError('forbidden', 'This API key belongs to another project.')
  }
  requirePlan(ctx, plan)
  const expiresAt = expires_at === undefined ? null : futureDate(expires_at)
  const projectId = realm.projectId ?? project_id ?? null
  const { secret, hash, prefix } = issueKey('mgk_live_')
  return inTransaction(ctx.services.db, async (tx) => {
    if (!(await findAccount(tx, accountId))) throw unknownAccount()
    const key = { accountId, name, hash, prefix, projectId, scopes: [...new Set(scopes)], plan, expiresAt }
    const row = await insertApiKey(tx, { id: createId('key'), ...key })
    await recordAudit(tx, ctx, { action: 'api_key.create', target: row.id })
    await emitKeyEvent(tx, ctx, 'api_key.created', row)
    const created = { ...row, secret }
    await also(tx, created)
    return created
  })
}

function futureDate(text: string): Date {
  const date = new Date(text)
  if (date.getTime() > Date.now() && isKeptInstant(date)) return date
  const message = isKeptInstant(date) ? 'must be in the future' : OUTSIDE_TIME
  throw new GatewayError('invalid_request', `expires_at: ${message}`, {
    details: { fields: [{ path: 'expires_at', message }] },
  })
}
