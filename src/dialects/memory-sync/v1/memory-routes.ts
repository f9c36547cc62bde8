import { performance } from 'node:perf_hooks'
import type { UserContext } from '../../../domain/context.ts'
import { countMatching, listMemories } from '../../../domain/memories/list-memories.ts'
import { memoryFiles } from '../../../domain/memories/memory-files.ts'
import { projectScope, unknownMemory, userScope } from '../../../domain/memories/memory-scope.ts'
import type { IndexState } from '../../../domain/memories/memory-stats.ts'
import { memoryStatus } from '../../../domain/memories/memory-status.ts'
import { searchMemories } from '../../../domain/memories/search-memories.ts'
import { learnFromTurn, type TurnOutcome } from '../../../domain/transcripts/learn-from-turn.ts'
import { endUserId } from '../../../domain/users/end-users.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { forProject } from '../../../http/service.ts'
import { actAsEndUser, headerEndUser, type Sender } from '../auth.ts'
import { parsePart } from '../errors.ts'
import { toFoundMemory, toMemory } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { contextBlock } from './context-block.ts'
import { actAsNamed } from './named-user.ts'
import { AddTurnBody, ListMemoriesQuery, RecallBody } from './schemas.ts'
import { roleAndText } from './turn-role.ts'

const ADD_TURN = { scope: 'write', uses: { adds: 1 }, overQuota: addedTurn(null, 'skipped'), body: 'json' } as const
const NOTHING_RECALLED = { context: '', memories: [], latency_ms: 0 }
const NO_MEMORIES = { memories: [], total: 0 }
const RECALL = { scope: 'read', uses: { searches: 1 }, overQuota: NOTHING_RECALLED, body: 'json' } as const

export function addMemoryRoutes(router: Router): void {
  addRoute(router, 'POST', '/v1/memory/add_turn', ADD_TURN, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(AddTurnBody, 'body', await readBody(c))
      const ctx = await actAsNamed(c, sender, input.user_id)
      await claim.begin(ctx, input)
      const render = (outcome: TurnOutcome) => answer(200, addedTurn(ctx.requestId, PROCESSING_STATUS[outcome]))
      return render(await learnFromTurn(ctx, toHeardTurn(input), claim.keep(render)))
    }),
  )

  addRoute(router, 'POST', '/v1/memory/recall', RECALL, async (c, sender) => {
    const start = performance.now()
    const { user_id, prompt, k: limit, types } = parsePart(RecallBody, 'body', await readBody(c))
    const ctx = await actAsNamed(c, sender, user_id)
    const scope = userScope(ctx, ctx.caller.userId)
    // A type that nobody knows is one that no memory has.
    const filter = types && types.length > 0 ? { types } : {}
    const { found } = await searchMemories(ctx, scope, { query: prompt, limit, filter })
    const files = await memoryFiles(
      ctx,
      scope,
      found.map(({ memory }) => memory),
    )
    return c.json({
      context: contextBlock(found.map(({ memory }) => memory)),
      memories: found.map((one) => toFoundMemory(one, files.get(one.memory.id))),
      latency_ms: Math.round((performance.now() - start) * 100) / 100,
    })
  })

  addRoute(router, 'GET', '/v1/memory/status/:memory_id', { scope: 'read' }, showStatus)

  addRoute(
    router,
    'GET',
    '/v1/memory/:tenant_id/:user_id/list',
    { scope: 'read', uses: { searches: 1 }, overQuota: NO_MEMORIES },
    listOf,
  )
}

/** As the client's documentation names them. */
const PROCESSING_STATUS = {
  learned: 'completed',
  not_user: 'skipped_non_user_turn',
  low_value: 'skipped_low_value',
  replay: 'skipped_replay',
} as const satisfies Record<TurnOutcome, string>

/** The turn is not kept, so it has no id. */
function addedTurn(requestId: string | null, status: (typeof PROCESSING_STATUS)[TurnOutcome] | 'skipped') {
  const isExtracted = status === 'completed'
  return {
    status: isExtracted ? ('processing' as const) : ('ok' as const),
    processing_status: status,
    memory_id: null,
    already_exists: status === 'skipped_replay',
    request_id: isExtracted ? requestId : null,
  }
}

/** A longer one is metadata alone. */
const MOST_SESSION_ID = 256

function toHeardTurn(input: AddTurnBody) {
  const { speaker, occurred_at: occurredAt, metadata, source } = input
  const sessionId = metadata?.['session_id']
  return {
    ...roleAndText(input),
    speaker,
    occurredAt,
    source,
    metadata,
    ...(typeof sessionId === 'string' && sessionId !== '' && sessionId.length <= MOST_SESSION_ID && { sessionId }),
  }
}

const SHOWN_STATE = { ready: 'completed', pending: 'processing', failed: 'failed' } as const satisfies Record<
  IndexState,
  string
>

/** Whether the backend has a memory. Without X-End-User-ID any of the key's project. */
async function showStatus(c: HttpContext, sender: Sender): Promise<Response> {
  const number = Number(/^[1-9]\d{0,15}$/.exec(c.req.param('memory_id') ?? '')?.[0])
  if (!Number.isSafeInteger(number)) throw unknownMemory()
  const isOfOne = sender.user !== undefined || headerEndUser(c) !== undefined
  const ctx = isOfOne ? await actAsEndUser(c, sender) : await forProject(c, sender.ctx)
  const scope = isOfOne ? userScope(ctx, (ctx as UserContext).caller.userId) : projectScope(ctx)
  const { memory, state } = await memoryStatus(ctx, scope, number)
  return c.json({
    memory_id: memory.number,
    status: SHOWN_STATE[state],
    processing_status: SHOWN_STATE[state],
    created_at: memory.createdAt.toISOString(),
    updated_at: memory.updatedAt.toISOString(),
  })
}

/** A user's memories, newest first. */
async function listOf(c: HttpContext, sender: Sender): Promise<Response> {
  const { limit, offset } = parsePart(ListMemoriesQuery, 'query', c.req.query())
  const ctx = await actAsNamed(c, sender, parsePart(endUserId, 'path', c.req.param('user_id')))
  const scope = userScope(ctx, ctx.caller.userId)
  const { items } = await listMemories(ctx, scope, {}, { limit, offset, order: 'desc' })
  const files = await memoryFiles(ctx, scope, items)
  return c.json({
    memories: items.map((memory) => toMemory(memory, files.get(memory.id))),
    total: await countMatching(ctx, scope, {}),
    limit,
    offset,
  })
}
