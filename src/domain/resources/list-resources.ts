import type { Database } from '../../db/database.ts'
import type { Context } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { GatewayError } from '../errors.ts'
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

/** `tx`: the transaction to read in, if there is one. */
export async function requireResource(
  ctx: Context,
  id: string,
  tx: Database = ctx.services.db,
): Promise<ResourceWithFile> {
  const row = await findResource(tx, ctx.caller, id)
  if (!row) throw new GatewayError('not_found', 'There is no such resource.')
  return row
}

/** Changes title and description as they are listed; what the backend extracted from them stays as it is. */
export async function updateResource(ctx: Context, id: string, input: unknown): Promise<ResourceWithFile> {
  const { title, description } = parseInput(UpdateResourceInput, input)
  const change = { ...(title !== undefined && { title }), ...(description !== undefined && { description }) }
  if (!(await updateResourceText(ctx.services.db, ctx.caller, id, change))) {
    throw new GatewayError('not_found', 'There is no such resource.')
  }
  return requireResource(ctx, id)
}
