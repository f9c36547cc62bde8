import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { issueKey } from '../secret-key.ts'
import { insertUser, insertUserKey } from './queries.ts'
import { CreateUserInput } from './schemas.ts'

export interface CreatedUser {
  /** Ours. */
  readonly id: string
  /** The `user_id` of the API. */
  readonly userId: string
  /** The user's first key; shown here and never again. */
  readonly userKey: string
  readonly createdAt: Date
}

/** Creates a user with a first key. `conflict` if the account has one of that name. */
export async function createUser(
  ctx: SystemContext,
  accountId: string,
  input: unknown,
  also: AlsoStore<CreatedUser> = nothingElse,
): Promise<CreatedUser> {
  const { user_id: externalId } = parseInput(CreateUserInput, input)
  const key = issueKey('uk_')
  return inTransaction(ctx.services.db, async (tx) => {
    const user = await insertUser(tx, { id: createId('usr'), accountId, externalId })
    if (!user) {
      throw new GatewayError('conflict', `The user_id ${externalId} is taken. Choose another, or use one of its keys.`)
    }
    await insertUserKey(tx, { userId: user.id }, { id: createId('key'), hash: key.hash, prefix: key.prefix })
    await recordAudit(tx, ctx, { action: 'user.create', target: user.id })
    const created = { id: user.id, userId: externalId, userKey: key.secret, createdAt: user.createdAt }
    await also(tx, created)
    return created
  })
}
