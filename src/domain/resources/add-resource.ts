import { detectUpload } from '../attachments/detect-upload.ts'
import type { Context } from '../context.ts'
import { createId, createResourceId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { insertBatch } from '../relay/queries.ts'
import { refusedByBackend } from '../relay/refusal.ts'
import { discardRejected } from '../sessions/discard-batch.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import { setLastUpstreamTimestamp } from '../sessions/queries.ts'
import type { ResolvedItem, Upload } from '../sessions/resolve-content.ts'
import { storeBatch } from '../sessions/store-batch.ts'
import { insertResource } from './queries.ts'
import { AddResourceInput } from './schemas.ts'

export interface AddedResource {
  readonly resourceId: string
  readonly sessionId: string
  readonly status: 'extracted' | 'processing' | 'failed'
}

export function resourceUri(externalUserId: string, resourceId: string): string {
  return `resource://${externalUserId}/${resourceId}`
}

/**
 * Keeps one file as a resource with a session of its own, and has the backend add and flush it. `processing` if that
 * is not done in time, or `waitMs` is 0; `failed` if the backend found nothing to extract: the file is kept.
 */
export async function addResource(
  ctx: Context,
  input: unknown,
  upload: Upload,
  waitMs: number,
): Promise<AddedResource> {
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
      const position = stored.position + 1
      await insertBatch(tx, ctx.caller, {
        id: flushId,
        action: 'flush',
        state: 'stored',
        sessionId: stored.session.id,
        position,
      })
      await setLastUpstreamTimestamp(tx, ctx.caller, stored.session.id, position)
      await insertResource(tx, ctx.caller, {
        id: resourceId,
        sessionId: stored.session.id,
        attachmentId: attachment.id,
        title: title ?? null,
        description: description ?? null,
        status: 'processing',
      })
    },
  )

  const outcome = await ctx.services.relay.relayNow(batch.session.id, [batch.id, flushId], waitMs)
  if (outcome !== 'queued' && (outcome.state === 'rejected' || outcome.state === 'failed')) {
    await discardRejected(ctx, ctx.caller, [batch.id, flushId])
    throw refusedByBackend(outcome)
  }
  if (outcome === 'queued' || outcome.state !== 'relayed') return { resourceId, sessionId, status: 'processing' }
  return { resourceId, sessionId, status: outcome.answer.status === 'extracted' ? 'extracted' : 'failed' }
}
