import { expect, it } from 'vitest'
import { call, until } from '../../helpers/client.ts'
import type { TestApp } from '../../helpers/dialects.ts'
import type { Suite } from './index.ts'

const path = '/api/v1/memories'
const user = 'ada@example.com'

async function remember(app: TestApp, content: unknown): Promise<string> {
  const { status, body } = await app.post(path, { messages: [{ role: 'user', content }], user_id: user })
  expect({ status, body }).toMatchObject({ status: 200, body: { memories_created: 1 } })
  return body.memory_ids[0]
}

async function search(app: TestApp, query: string) {
  const named = new URLSearchParams({ query, user_id: user }).toString()
  const { body } = await app.get(`${path}/search?${named}`)
  return body.results.map(({ id, similarity }: { id: string; similarity: number | null }) => ({ id, similarity }))
}

/** As soon as the backend has what it is searched for. */
const searchUntilFound = (app: TestApp, query: string) =>
  until(
    () => search(app, query),
    (found) => found.length > 0,
    60_000,
  )

/** What no word of a memory finds: the gateway's own search does not know it, so that the backend must. */
export function searchThroughTheBackend({ deployment, site }: Suite): void {
  const isEveros = deployment.name.includes('EverOS')

  it.runIf(isEveros)(
    'finds a memory that shares no word with the query, and computes no similarity for it',
    async () => {
      const app = await site().newApp()
      const id = await remember(app, 'I need chocolate every evening')
      expect(await searchUntilFound(app, 'chocolatier')).toEqual([{ id, similarity: null }])
      expect(await search(app, 'chocolate evenings')).toEqual([{ id, similarity: expect.any(Number) }])
    },
  )

  it('finds a memory by the text of its file, no longer once that is deleted', async () => {
    const app = await site().newApp()
    const data = Buffer.from('The heron stands in the reeds.\n').toString('base64')
    const file = { type: 'document', data, mimeType: 'text/plain', name: 'bird.txt' }
    const id = await remember(app, [{ type: 'text', text: 'I wrote a note about a walk' }, file])
    expect(await searchUntilFound(app, 'heron reeds')).toEqual([{ id, similarity: null }])
    expect(await app.delete(`${path}/${id}?hard=true`)).toMatchObject({ status: 200, body: { deleted_count: 1 } })
    // EverOS has no delete: what it keeps is not shown.
    expect(await search(app, 'heron reeds')).toEqual([])
  })

  it('finds a memory that was changed by what it says now', async () => {
    const app = await site().newApp()
    const id = await remember(app, 'I ride a unicycle to work')
    expect(await app.send('PATCH', `${path}/${id}`, { content: 'I take the ferry to work' })).toMatchObject({
      status: 200,
    })
    expect(await search(app, 'ferry')).toEqual([{ id, similarity: expect.any(Number) }])
    const byItsOldWords = await search(app, 'unicycle')
    // EverOS gives whatever is nearest.
    expect(byItsOldWords).toEqual(isEveros && byItsOldWords.length > 0 ? [{ id, similarity: null }] : [])
  })

  it('tells of an erased end user what it could not delete', async () => {
    const app = await site().newApp()
    await remember(app, 'I live on a houseboat')
    // An erasure waits for what the backend has not answered yet.
    await until(
      async () => (await app.get('/v1/memory/stats')).body.stats.indexing,
      ({ ready }) => ready === 1,
      60_000,
    )
    const named = new URLSearchParams({ project_id: 'default', user_id: user }).toString()
    const erased = await site().operate('DELETE', `/accounts/${app.accountId}/users?${named}`)
    expect(erased.status).toBe(202)
    const receipt = await until(
      async () => (await call(`${app.base}/erasures/${erased.body.erasure_id}`)).body,
      ({ status }) => status !== 'processing',
      60_000,
    )
    expect(receipt).toMatchObject({ kind: 'user', status: isEveros ? 'pending_operator' : 'done', sessions: 1 })
    expect((await app.get(path)).body).toMatchObject({ count: 0 })
  })
}
