import type { Limits } from '../../config/config.ts'
import type { UserContext } from '../../domain/context.ts'
import { rememberConversation } from '../../domain/memories/remember-conversation.ts'
import type { StoredMemory } from '../../domain/memories/store-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forEndUser } from '../../http/service.ts'
import { originOf, toConversation } from './conversation.ts'
import { open, readBody } from './request.ts'
import { AgentBody, CreateBody } from './schemas.ts'

/** Memories from a conversation, with its files: of an application, or of one of its agents. */
export function createRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.inlineBytes, (c) => open(c, 'write'))
  router.on('POST', slashed('/memories'), readJson, (c) => create(c, CreateBody, toCreated))
  router.on('POST', slashed('/memories/agents'), readJson, (c) => create(c, AgentBody, toCreatedByAgent))
}

type Show = (ctx: UserContext, stored: readonly StoredMemory[], body: CreateBody) => object

function create(c: HttpContext, schema: typeof CreateBody, show: Show): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const body: CreateBody = await readBody(c, schema)
    const endUser = body.user_id === 'self' ? undefined : (body.user_id ?? undefined)
    const ctx = await forEndUser(c, await open(c, 'write'), endUser)
    await claim.begin(ctx, body)
    // How many memories it will be is known later: now, whether any add is left.
    await countUse(c, ctx, { requests: 1, adds: 0 })
    await using spool = ctx.services.spool.open()
    const conversation = await toConversation(ctx, body, spool)
    const render = (stored: readonly StoredMemory[]) => answer(200, show(ctx, stored, body))
    return render(await rememberConversation(ctx, conversation, claim.keep(render)))
  })
}

function toCreated(ctx: UserContext, stored: readonly StoredMemory[]) {
  return {
    success: true,
    memories_created: stored.length,
    memory_ids: stored.map(({ memory }) => memory.id),
    owner_id: ctx.service.accountId,
    user_id: ctx.caller.externalUserId || null,
    ...(stored.length === 0 && { message: 'The messages hold nothing to remember.' }),
  }
}

function toCreatedByAgent(ctx: UserContext, stored: readonly StoredMemory[], body: CreateBody) {
  const { agent_id } = originOf(body)
  return { ...toCreated(ctx, stored), agent_id, project_id: ctx.service.projectId }
}
