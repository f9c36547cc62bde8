import { deleteMemories } from '../../../domain/memories/delete-memories.ts'
import { type ForgetReport, forgetMemories } from '../../../domain/memories/forget-memories.ts'
import { getMemory } from '../../../domain/memories/get-memory.ts'
import { listMemories } from '../../../domain/memories/list-memories.ts'
import { memoryFiles } from '../../../domain/memories/memory-files.ts'
import { unknownMemory, userScope } from '../../../domain/memories/memory-scope.ts'
import type { MemoryRow } from '../../../domain/memories/queries.ts'
import type { MemoryFilter } from '../../../domain/memories/schemas.ts'
import { type EditedMemory, updateMemories } from '../../../domain/memories/update-memories.ts'
import { updateMemory } from '../../../domain/memories/update-memory.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce, deleted } from '../../../http/once.ts'
import { actAsEndUser } from '../auth.ts'
import { parsePart, refusal } from '../errors.ts'
import { toMemory } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { BatchUpdateBody, ForgetBody, type ForgetFilters, UpdateBody } from '../schemas.ts'

/** Paths with the number of a memory. */
export const MEMORY = '/memory/:id{[0-9]+}'

const READ = { scope: 'read' } as const
const WRITE = { scope: 'write', body: 'json' } as const

/** The number of a memory in the path. One that no memory can have is unknown as any other. */
export function memoryId(c: HttpContext): number {
  const number = Number(c.req.param('id'))
  if (!Number.isSafeInteger(number)) throw unknownMemory()
  return number
}

export function addRecordRoutes(router: Router): void {
  addRoute(router, 'DELETE', '/memory/user/purge', { scope: 'write' }, () => {
    throw refusal(
      'forbidden',
      403,
      'FORBIDDEN',
      'No key of an API may erase an account. To delete memories use DELETE /memory/forget.',
    )
  })

  addRoute(router, 'DELETE', '/memory/forget', WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const { memory_ids, filters, dry_run = false, reason } = parsePart(ForgetBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, { memory_ids, filters, dry_run, reason })
      const scope = userScope(ctx, ctx.caller.userId)
      const filter = filters ? toForgotten(filters) : { numbers: memory_ids }
      const render = ({ numbers }: ForgetReport) => answer(200, numbers)
      return render(await forgetMemories(ctx, scope, { filter, dryRun: dry_run }, claim.keep(render)))
    }),
  )

  addRoute(router, 'POST', '/memory/batch-update', WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const { items } = parsePart(BatchUpdateBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, items)
      const edits = items.map(({ memory_id: number, ...edit }) => ({ number, changes: toChanges(edit) }))
      const scope = userScope(ctx, ctx.caller.userId)
      return answerEdited(await updateMemories(ctx, scope, edits, claim.keep(answerEdited)))
    }),
  )

  addRoute(router, 'GET', MEMORY, READ, async (c, sender) => {
    const ctx = await actAsEndUser(c, sender)
    const scope = userScope(ctx, ctx.caller.userId)
    const memory = await getMemory(ctx, scope, memoryId(c))
    const files = await memoryFiles(ctx, scope, [memory])
    return c.json(toMemory(memory, files.get(memory.id)))
  })

  addRoute(router, 'PATCH', MEMORY, WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(UpdateBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, input)
      const render = (row: MemoryRow) => answer(200, toMemory(row))
      const scope = userScope(ctx, ctx.caller.userId)
      const keep = claim.keep(render, ({ sessionId }) => ({ sessionId }))
      return render(await updateMemory(ctx, scope, memoryId(c), toChanges(input), keep))
    }),
  )

  addRoute(router, 'DELETE', MEMORY, { scope: 'write' }, (c, sender) =>
    answerOnce(c, async (claim) => {
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx)
      const scope = userScope(ctx, ctx.caller.userId)
      const { items } = await listMemories(ctx, scope, { numbers: [memoryId(c)] }, { limit: 1, order: 'asc' })
      const keep = claim.keep(() => deleted())
      await deleteMemories(ctx, scope, idsOf(items), (tx, gone) => {
        if (gone.length === 0) throw unknownMemory()
        return keep(tx, gone)
      })
      return deleted()
    }),
  )
}

function idsOf(memories: readonly MemoryRow[]): string[] {
  return memories.map(({ id }) => id)
}

function toChanges({ event_type: eventType, ...rest }: UpdateBody) {
  return { ...rest, eventType }
}

function toForgotten({ source, event_type: eventType, tags, tier, before, after }: ForgetFilters): MemoryFilter {
  return { sources: source === undefined ? undefined : [source], eventType, tags, tier, since: after, until: before }
}

function answerEdited(edited: readonly EditedMemory[]) {
  const updated = edited.filter(({ memory }) => memory).length
  return answer(207, {
    total: edited.length,
    updated,
    not_found: edited.length - updated,
    results: edited.map(({ number, memory, changedFields }, index) => ({
      index,
      memory_id: number,
      status: memory ? ('updated' as const) : ('not_found' as const),
      changed_fields: changedFields,
    })),
  })
}
