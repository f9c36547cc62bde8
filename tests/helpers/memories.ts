import { Readable } from 'node:stream'
import { eq } from 'drizzle-orm'
import { memories } from '../../src/db/schema/memories.ts'
import type { UserContext } from '../../src/domain/context.ts'
import { userScope } from '../../src/domain/memories/memory-scope.ts'
import type { MemoryRow } from '../../src/domain/memories/queries.ts'
import { type MemoryToStore, storeMemories } from '../../src/domain/memories/store-memories.ts'
import type { Upload } from '../../src/domain/sessions/resolve-content.ts'
import type { TestGateway } from './gateway.ts'
import { endUserContext, makeAccount } from './service.ts'

export const DAY_MS = 86_400_000

/** An end user of an account (null: nobody) of their own, and what their application does for them. */
export async function someone(gateway: TestGateway, account?: { apiKey: string }, name?: string | null) {
  const { apiKey } = account ?? (await makeAccount(gateway))
  const ctx = await endUserContext(gateway, apiKey, name === null ? undefined : (name ?? 'ada@example.com'))
  const scope = userScope(ctx, ctx.caller.userId)
  return { apiKey, ctx, scope, remember: rememberFor(gateway, ctx) }
}

/** Stores one memory; `row` changes what the database has of it, its age for one. */
function rememberFor({ services: { db } }: TestGateway, ctx: UserContext) {
  return async (
    content: string,
    more: object = {},
    { row, uploads }: { row?: Partial<MemoryRow>; uploads?: readonly Upload[] } = {},
  ): Promise<MemoryRow> => {
    const item: MemoryToStore = { memory: { content, ...more }, ...(uploads && { uploads }) }
    const [stored] = await storeMemories(ctx, [item])
    if (!stored) throw new Error('nothing stored')
    if (!row) return stored.memory
    const [changed] = await db.update(memories).set(row).where(eq(memories.id, stored.memory.id)).returning()
    if (!changed) throw new Error('nothing changed')
    return changed
  }
}

export function daysAgo(days: number): Date {
  return new Date(Date.now() - days * DAY_MS)
}

/** A file as a surface hands it to the domain. */
export async function uploadOf({ services: { spool } }: TestGateway, fileName: string, bytes: Buffer): Promise<Upload> {
  const file = await spool.open().take(Readable.from([bytes]) as AsyncIterable<Buffer>)
  return { uploadId: 'file', fileName, file }
}

export async function rowOf({ services: { db } }: TestGateway, id: string): Promise<MemoryRow | undefined> {
  const [row] = await db.select().from(memories).where(eq(memories.id, id))
  return row
}
