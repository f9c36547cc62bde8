import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknown } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { parseInput } from '../parse-input.ts'
import { findScope } from '../sessions/queries.ts'
import { findResource, type ResourceWithFile, selectResources, updateResourceText } from './queries.ts'
import { ListResourcesInput, UpdateResourceInput } from './schemas.ts'

/** The caller's resources in one app and project, newest first. */
export async function listResources(ctx: Context, input: unknown) {
  const {
    app_id: appId,
    project_id: projectId,
    status,
    content_type: kind,
    cursor,
    limit,
  } = parseInput(ListResourcesInput, input)
  const { db } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId, projectId })
  const page = { cursor: decodeCursor(cursor), limit: limit + 1 }
  const rows = scope ? await selectResources(db, ctx.caller, scope.id, { status, kind }, page) : []
  return toPage(rows, limit, (row) => ({ sort: row.createdMicros, id: row.resource.id }))
}

/** A resource of the caller's. Not for use inside a transaction: what is refused is written down. */
export async function requireResource(ctx: Context, id: string): Promise<ResourceWithFile> {
  const row = await findResource(ctx.services.db, ctx.caller, id)
  if (!row) throw refuseUnknown(ctx, 'resource', id)
  return row
}

/** Changes title and description as they are listed; what the backend extracted from them stays as it is. */
export async function updateResource(
  ctx: Context,
  id: string,
  input: unknown,
  also: AlsoStore<ResourceWithFile> = nothingElse,
): Promise<ResourceWithFile> {
  const { title, description } = parseInput(UpdateResourceInput, input)
  const change = { ...(title !== undefined && { title }), ...(description !== undefined && { description }) }
  const updated = await inTransaction(ctx.services.db, async (tx) => {
    await updateResourceText(tx, ctx.caller, id, change)
    const row = await findResource(tx, ctx.caller, id)
    if (!row) return undefined
    await recordAudit(tx, ctx, { action: 'resource.update', target: id })
    await also(tx, row)
    return row
  })
  if (!updated) throw refuseUnknown(ctx, 'resource', id)
  return updated
}
