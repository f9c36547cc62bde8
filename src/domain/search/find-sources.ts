import type { FilePlace } from '../../ports/memory-backend.ts'
import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import type { OwnHit } from './own-hits.ts'
import { type SourceMessage, type Stretch, selectExtractions, selectMessagesIn } from './queries.ts'

/** A message that a hit came from, and where in its file the passage stands. */
export interface FoundSource extends SourceMessage, Omit<FilePlace, 'sha256'> {
  /** A file of the message. */
  readonly attachmentId?: string
}

export interface Origin {
  readonly sources: readonly FoundSource[]
  readonly attachments: readonly AttachmentRow[]
}

interface NamedStretch extends Stretch {
  readonly place?: FilePlace
}

/**
 * The messages each hit came from, and their files: those the backend names, in its order; else those of the extraction that the
 * hit's time falls into; else the whole session's.
 */
export async function findSources(ctx: Context, hits: readonly OwnHit[]): Promise<Origin[]> {
  if (hits.length === 0) return []
  const { db } = ctx.services
  const stretches = await stretchesOf(ctx, hits)
  const messages = await selectMessagesIn(db, ctx.caller, different(stretches.flat()))
  const attachments = await selectAttachmentsOf(db, ctx.caller, [...new Set(messages.map(({ id }) => id))])
  return stretches.map((own) => originOf(own, messages, attachments))
}

function originOf(
  stretches: readonly NamedStretch[],
  messages: readonly SourceMessage[],
  attachments: readonly AttachmentRow[],
): Origin {
  const sources = new Map<string, FoundSource>()
  for (const stretch of stretches) {
    for (const message of messages) {
      if (!contains(stretch, message)) continue
      const source = placed(message, stretch.place, attachments)
      const { id, attachmentId, page, sheet, slide } = source
      sources.set(JSON.stringify([id, attachmentId, page, sheet, slide]), source)
    }
  }
  const ids = new Set([...sources.values()].map(({ id }) => id))
  return {
    sources: [...sources.values()],
    attachments: attachments.filter(({ messageId }) => messageId !== null && ids.has(messageId)),
  }
}

/** A place is believed if the message has that file. */
function placed(
  message: SourceMessage,
  place: FilePlace | undefined,
  attachments: readonly AttachmentRow[],
): FoundSource {
  const file = place && attachments.find((one) => one.messageId === message.id && one.sha256 === place.sha256)
  if (!file) return message
  const { sha256: _, ...position } = place
  return { ...message, attachmentId: file.id, ...position }
}

function contains(stretch: Stretch, message: SourceMessage): boolean {
  return (
    message.sessionId === stretch.sessionId &&
    message.upstreamTimestamp > stretch.after &&
    message.upstreamTimestamp <= stretch.through
  )
}

function different(stretches: readonly NamedStretch[]): NamedStretch[] {
  return [...new Map(stretches.map((one) => [`${one.sessionId} ${one.after} ${one.through}`, one])).values()]
}

/** Which parts of sessions each hit covers. */
async function stretchesOf(ctx: Context, hits: readonly OwnHit[]): Promise<NamedStretch[][]> {
  const unnamed = hits.filter(({ sources }) => sources === undefined)
  const sessionIds = [...new Set(unnamed.map(({ session }) => session.id))]
  const extractions = sessionIds.length > 0 ? await selectExtractions(ctx.services.db, ctx.caller, sessionIds) : []
  return hits.map(({ hit, session, sources }) => {
    if (sources) {
      return sources.map(({ session: own, timestamp, place }) => ({
        sessionId: own.id,
        after: timestamp - 1,
        through: timestamp,
        ...(place && { place }),
      }))
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
