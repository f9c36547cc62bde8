import { detectUpload } from '../attachments/detect-upload.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { createId, createResourceId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { insertBatch } from '../relay/queries.ts'
import { relayOrDiscard } from '../relay/relay-or-discard.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import { setLastUpstreamTimestamp } from '../sessions/queries.ts'
import type { ResolvedItem, Upload } from '../sessions/resolve-content.ts'
import { bytesOf, type StoredBatch, storeBatch } from '../sessions/store-batch.ts'
import { insertResource } from './queries.ts'
import { AddResourceInput } from './schemas.ts'

/** Durable, and on its way to the backend. */
export interface StoredResource {
  readonly resourceId: string
  /** The `session_id` of the API. */
  readonly sessionId: string
  readonly batch: StoredBatch
  readonly flushId: string
}

/** Stores one file as a resource with a session of its own. */
export async function storeResource(
  ctx: Context,
  input: unknown,
  upload: Upload,
  also: AlsoStore<StoredResource> = nothingElse,
): Promise<StoredResource> {
  const { app_id: appId, project_id: projectId, title, description } = parseInput(AddResourceInput, input)
  const detected = await detectUpload(upload, undefined, ctx.services.limits.filenameBytes)
  const scope = await ensureScope(ctx, { appId, projectId })
  const resourceId = createResourceId()
  const sessionId = `resource:${ctx.caller.externalUserId}:${resourceId}`
  const flushId = createId('bat')

  const about = [title, description].filter((text) => text).join('\n')
  const items: ResolvedItem[] = [
    ...(about ? [{ type: 'text' as const, text: about }] : []),
    { type: 'file', upload: detected },
  ]
  const batch = await storeBatch(
    ctx,
    { scope, sessionId, kind: 'resource' },
    [{ input: { role: 'user', content: about }, items }],
    async (tx, stored) => {
      const [attachment] = stored.attachments
      if (!attachment) throw new Error('A resource has a file.')
      const place = { sessionId: stored.session.id, position: stored.position + 1 }
      await insertBatch(tx, ctx.caller, { id: flushId, action: 'flush', state: 'stored', ...place })
      await setLastUpstreamTimestamp(tx, ctx.caller, stored.session.id, place.position)
      await insertResource(tx, ctx.caller, {
        id: resourceId,
        sessionId: stored.session.id,
        attachmentId: attachment.id,
        title: title ?? null,
        description: description ?? null,
        status: 'processing',
      })
      await recordAudit(tx, ctx, { action: 'resource.add', target: resourceId, bytes: bytesOf(stored) })
      await also(tx, { resourceId, sessionId, batch: stored, flushId })
    },
  )
  return { resourceId, sessionId, batch, flushId }
}

/**
 * Has the backend add and flush a stored resource. `processing` if that is not done within `waitMs`; `failed` if the
 * backend found nothing in the file, which is kept.
 */
export async function relayResource(
  ctx: Context,
  { batch, flushId }: StoredResource,
  waitMs: number,
): Promise<'extracted' | 'failed' | 'processing'> {
  const answer = await relayOrDiscard(ctx, batch.session, [batch.id, flushId], waitMs)
  if (!answer) return 'processing'
  return answer.status === 'extracted' ? 'extracted' : 'failed'
}
