import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { listMessages } from '../../src/domain/sessions/list-sessions.ts'
import { listThreadMessages } from '../../src/domain/threads/list-thread-messages.ts'
import { findThread } from '../../src/domain/threads/open-thread.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { exchange, newResource, newThread, said } from '../helpers/threads.ts'

it('comes in pages with fewer messages where they are very long, none left out', async () => {
  const ctx = await newResource(await sharedGateway())
  const { externalId } = await newThread(ctx)
  const long = () => randomBytes(900_000).toString('base64')
  await exchange(ctx, await findThread(ctx, externalId), [
    said('user', 'Short'),
    said('user', long()),
    said('user', long()),
  ])
  const thread = await findThread(ctx, externalId)

  const sizes: number[] = []
  const ids: string[] = []
  for (let offset = 0; ; offset = ids.length) {
    const page = await listThreadMessages(ctx, thread, { limit: 200, offset, order: 'asc' })
    expect(page.total).toBe(4)
    if (page.messages.length === 0) break
    sizes.push(page.messages.length)
    ids.push(...page.messages.map(({ id }) => id))
  }
  expect(sizes).toEqual([2, 1, 1])

  const native: string[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await listMessages(ctx, { session_id: `thread:${externalId}`, ...(cursor && { cursor }) })
    native.push(...page.items.map(({ message }) => message.id))
    cursor = page.nextCursor
  }
  expect(native).toEqual(ids)
})
