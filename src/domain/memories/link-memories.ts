import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText, opaqueObject } from '../text-schemas.ts'
import { insertLinks, type LinkRow, takeOverLink } from './link-queries.ts'
import { userScope } from './memory-scope.ts'
import { findMemory, lockMemories } from './queries.ts'

const NewRelation = z.strictObject({
  type: cleanText(64).min(1),
  confidence: z.number().min(0).max(1).optional(),
  metadata: opaqueObject.optional(),
})

export interface RelationInput {
  /** Id or number. */
  readonly from: string | number
  readonly to: string | number
  readonly type: string
  /** 0..1; left out: nobody said. */
  readonly confidence?: number | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Says that one memory has to do with another of the same user. `not_found` for one that is not in sight in the scope, and alike for two
 * of different users; `invalid_request` for a memory and itself, `conflict` if it was said already.
 */
export async function linkMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  { from, to, ...rest }: RelationInput,
  also: AlsoStore<LinkRow> = nothingElse,
): Promise<LinkRow> {
  const relation = parseInput(NewRelation, rest)
  const { db } = ctx.services
  const [one, other] = [await findMemory(db, scope, from), await findMemory(db, scope, to)]
  if (!one) throw refuseUnknownMemory(ctx, scope, from)
  if (!other || one.userId !== other.userId) throw refuseUnknownMemory(ctx, userScope(ctx, one.userId), to)
  if (one.id === other.id) throw new GatewayError('invalid_request', 'A memory cannot be linked with itself.')
  const link = {
    fromId: one.id,
    toId: other.id,
    type: relation.type,
    confidence: relation.confidence ?? null,
    metadata: relation.metadata ?? null,
  }
  return inTransaction(db, async (tx) => {
    if ((await lockMemories(tx, scope, [one.id, other.id])).length < 2) throw refuseUnknownMemory(ctx, scope, to)
    const [inserted] = await insertLinks(tx, one, [link])
    const made = inserted ?? (await takeOverLink(tx, one, link))
    if (!made) throw new GatewayError('conflict', `These memories are linked as ${link.type} already.`)
    await recordAudit(tx, ctx, { action: 'memory.update', target: one.id })
    await also(tx, made)
    return made
  })
}
