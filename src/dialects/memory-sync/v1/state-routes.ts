import type { DeletedWithFacts } from '../../../domain/memories/delete-with-facts.ts'
import { deleteState, stateSubject } from '../../../domain/state/delete-state.ts'
import { type PutState, putState } from '../../../domain/state/put-state.ts'
import { getState, listNamespaces, listState, searchState } from '../../../domain/state/read-state.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { parsePart } from '../errors.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { factIds, toDeleted, toFoundState, toStateItem } from './mapping.ts'
import { actAsNamed } from './named-user.ts'
import {
  DeleteStateBody,
  GetStateBody,
  ListStateBody,
  NamespacesBody,
  PutStateBody,
  SearchStateBody,
} from './schemas.ts'

const SKIPPED = { item: {}, created: false, request_id: null, deleted_fact_ids: [], status: 'skipped' }
/** A change counts as an add, and `putState` knows what that is. */
const PUT = { scope: 'write', overQuota: SKIPPED, body: 'json' } as const
const DELETE = { scope: 'write', body: 'json' } as const

/** Counts as a search; beyond the quota it is as if there were nothing. */
const read = (overQuota: unknown) => ({ scope: 'read', uses: { searches: 1 }, overQuota, body: 'json' }) as const
const NO_ITEMS = { items: [], total: 0 }

export function addStateRoutes(router: Router): void {
  addWrites(router)

  addRoute(router, 'POST', '/v1/state/get', read({ item: null }), async (c, sender) => {
    const { tenant_id: _tenant, user_id, ...place } = parsePart(GetStateBody, 'body', await readBody(c))
    const item = await getState(await actAsNamed(c, sender, user_id), place)
    return c.json({ item: item ? toStateItem(item) : null })
  })

  addRoute(router, 'POST', '/v1/state/list', read(NO_ITEMS), async (c, sender) => {
    const { user_id, namespace_prefix: prefix, ...rest } = parsePart(ListStateBody, 'body', await readBody(c))
    const { tenant_id: _tenant, ...page } = rest
    const { items, total } = await listState(await actAsNamed(c, sender, user_id), { prefix, ...page })
    return c.json({ items: items.map(toStateItem), total })
  })

  addRoute(router, 'POST', '/v1/state/search', read(NO_ITEMS), async (c, sender) => {
    const { user_id, namespace_prefix: prefix, ...rest } = parsePart(SearchStateBody, 'body', await readBody(c))
    const { tenant_id: _tenant, ...search } = rest
    const { items, total } = await searchState(await actAsNamed(c, sender, user_id), { prefix, ...search })
    return c.json({ items: items.map(toFoundState), total })
  })

  addRoute(router, 'POST', '/v1/state/namespaces', read({ namespaces: [], total: 0 }), async (c, sender) => {
    const { user_id, max_depth: maxDepth, ...rest } = parsePart(NamespacesBody, 'body', await readBody(c))
    const { tenant_id: _tenant, ...page } = rest
    return c.json(await listNamespaces(await actAsNamed(c, sender, user_id), { maxDepth, ...page }))
  })
}

function addWrites(router: Router): void {
  addRoute(router, 'POST', '/v1/state/put', PUT, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(PutStateBody, 'body', await readBody(c))
      const { tenant_id: _tenant, user_id, replace_derived_facts: replaceFacts, ...rest } = input
      const ctx = await actAsNamed(c, sender, user_id)
      await claim.begin(ctx, input)
      const render = ({ item, created, extracted, replacedFacts }: PutState) =>
        answer(200, {
          item: toStateItem(item),
          created,
          request_id: extracted ? ctx.requestId : null,
          deleted_fact_ids: factIds(replacedFacts),
          status: 'ok' as const,
        })
      const subject = ({ item }: PutState) => ({ sessionId: stateSubject(item.id) })
      return render(await putState(ctx, { ...rest, replaceFacts }, claim.keep(render, subject)))
    }),
  )

  addRoute(router, 'POST', '/v1/state/delete', DELETE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(DeleteStateBody, 'body', await readBody(c))
      const { tenant_id: _tenant, user_id, delete_derived_facts: withFacts, ...which } = input
      const ctx = await actAsNamed(c, sender, user_id)
      await claim.begin(ctx, input)
      const render = (deleted: DeletedWithFacts) => answer(200, toDeleted(deleted))
      return render(await deleteState(ctx, { ...which, withFacts }, claim.keep(render)))
    }),
  )
}
