import type { MemoryHit } from '../../ports/memory-backend.ts'
import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import { type KnownSession, type SourceMessage, type Stretch, selectExtractions, selectMessagesIn } from './queries.ts'

interface Origin {
  readonly sources: readonly SourceMessage[]
  readonly attachments: readonly AttachmentRow[]
}

interface OwnHit {
  readonly hit: MemoryHit
  readonly session: KnownSession
}

/**
 * The messages each hit came from, and their files: those the backend names; else those of the extraction that the
 * hit's time falls into; else the whole session's.
 */
export async function findSources(ctx: Context, hits: readonly OwnHit[]): Promise<Origin[]> {
  if (hits.length === 0) return []
  const { db } = ctx.services
  const stretches = await stretchesOf(ctx, hits)
  const messages = await selectMessagesIn(db, ctx.caller, stretches.flat())
  const attachments = await selectAttachmentsOf(db, ctx.caller, [...new Set(messages.map(({ id }) => id))])
  return stretches.map((own) => {
    const sources = [
      ...new Map(
        messages
          .filter((message) => own.some((stretch) => contains(stretch, message)))
          .map((message) => [message.id, message]),
      ).values(),
    ]
    const ids = new Set(sources.map(({ id }) => id))
    return { sources, attachments: attachments.filter(({ messageId }) => messageId !== null && ids.has(messageId)) }
  })
}

function contains(stretch: Stretch, message: SourceMessage): boolean {
  return (
    message.sessionId === stretch.sessionId &&
    message.upstreamTimestamp > stretch.after &&
    message.upstreamTimestamp <= stretch.through
  )
}

/** Which part of its session each hit covers. */
async function stretchesOf(ctx: Context, hits: readonly OwnHit[]): Promise<Stretch[][]> {
  const unnamed = hits.filter(({ hit }) => hit.sourceTimestamps === undefined)
  const sessionIds = [...new Set(unnamed.map(({ session }) => session.id))]
  const extractions = sessionIds.length > 0 ? await selectExtractions(ctx.services.db, ctx.caller, sessionIds) : []
  return hits.map(({ hit, session }) => {
    if (hit.sourceTimestamps) {
      return hit.sourceTimestamps.map((at) => ({ sessionId: session.id, after: at - 1, through: at }))
    }
    const covering = extractions.find(
      ({ sessionId, afterTimestamp, throughTimestamp }) =>
        sessionId === session.id && hit.timestamp > afterTimestamp && hit.timestamp <= throughTimestamp,
    )
    return [
      {
        sessionId: session.id,
        after: covering?.afterTimestamp ?? -1,
        through: covering?.throughTimestamp ?? Number.MAX_SAFE_INTEGER,
      },
    ]
  })
}
