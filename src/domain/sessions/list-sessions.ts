import { selectAttachmentsOf } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import { decodeCursor, encodeCursor, toPage } from '../cursor.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { findScope, findSession, selectMessages, selectSessions } from './queries.ts'
import { ListMessagesInput, ListSessionsInput } from './schemas.ts'

/** The caller's sessions in one app and project, most recently active first. */
export async function listSessions(ctx: Context, input: unknown) {
  const { app_id: appId, project_id: projectId, cursor, limit } = parseInput(ListSessionsInput, input)
  const { db } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId, projectId })
  const rows = scope
    ? await selectSessions(db, ctx.caller, scope.id, { cursor: decodeCursor(cursor), limit: limit + 1 })
    : []
  return toPage(rows, limit, (row) => ({ sort: row.activity, id: row.id }))
}

/** A session's messages in their order, with their files and how far each got on its way to the backend. Of very long ones a page has fewer than `limit`. */
export async function listMessages(ctx: Context, input: unknown) {
  const {
    app_id: appId,
    project_id: projectId,
    session_id: sessionId,
    cursor,
    limit,
  } = parseInput(ListMessagesInput, input)
  const { db } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId, projectId })
  const session = scope && (await findSession(db, ctx.caller, scope.id, sessionId))
  if (!session) throw new GatewayError('not_found', 'There is no such session.')
  const { rows, isLast } = await selectMessages(db, ctx.caller, session.id, { cursor: decodeCursor(cursor), limit })
  const last = isLast ? undefined : rows.at(-1)?.message
  const attachments = await selectAttachmentsOf(
    db,
    ctx.caller,
    rows.map(({ message }) => message.id),
  )
  return {
    items: rows,
    nextCursor: last ? encodeCursor({ sort: last.upstreamTimestamp, id: last.id }) : null,
    extractedThrough: session.extractedThrough,
    attachments: new Map(attachments.map((row) => [row.id, row])),
  }
}
