import type { FilePlace } from '../../ports/memory-backend.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import type { OwnHit } from './own-hits.ts'
import { type SourceMessage, type Stretch, selectOriginals } from './queries.ts'

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

/** A message with its files. */
interface Original {
  readonly message: SourceMessage
  readonly files: AttachmentRow[]
}

/**
 * The messages each hit came from, and their files: those the backend names, in its order; else those of the extraction that the
 * hit's time falls into; else the whole session's.
 */
export async function findSources(ctx: Context, hits: readonly OwnHit[]): Promise<Origin[]> {
  const stretches = hits.map(stretchesOf)
  const asked = new Map(stretches.flat().map((stretch) => [nameOf(stretch), stretch]))
  const rows = await selectOriginals(ctx.services.db, ctx.caller, [...asked.values()])
  const found = [...asked.keys()].map(() => new Map<string, Original>())
  for (const { stretch, message, attachment } of rows) {
    const messages = found[stretch]
    const original = messages?.get(message.id) ?? { message, files: [] }
    if (attachment) original.files.push(attachment)
    messages?.set(message.id, original)
  }
  const byName = new Map([...asked.keys()].map((name, index) => [name, found[index]]))
  return stretches.map((own) =>
    originOf(own.map(({ place, ...stretch }) => ({ place, originals: byName.get(nameOf(stretch))?.values() ?? [] }))),
  )
}

function nameOf({ sessionId, after, through, within }: Stretch): string {
  return `${sessionId} ${after} ${through} ${within}`
}

function originOf(parts: readonly { place: FilePlace | undefined; originals: Iterable<Original> }[]): Origin {
  const sources = new Map<string, FoundSource>()
  const attachments = new Map<string, AttachmentRow>()
  for (const { place, originals } of parts) {
    for (const { message, files } of originals) {
      const source = placed(message, place, files)
      const { id, attachmentId, page, sheet, slide } = source
      sources.set(JSON.stringify([id, attachmentId, page, sheet, slide]), source)
      for (const file of files) attachments.set(file.id, file)
    }
  }
  return { sources: [...sources.values()], attachments: [...attachments.values()] }
}

/** A place is believed if the message has that file. */
function placed(
  message: SourceMessage,
  place: FilePlace | undefined,
  attachments: readonly AttachmentRow[],
): FoundSource {
  const file = place && attachments.find(({ sha256 }) => sha256 === place.sha256)
  if (!file) return message
  const { sha256: _, ...position } = place
  return { ...message, attachmentId: file.id, ...position }
}

/** Which parts of sessions a hit covers. */
function stretchesOf({ hit, session, sources }: OwnHit): NamedStretch[] {
  if (!sources) {
    return [{ sessionId: session.id, after: -1, through: Number.MAX_SAFE_INTEGER, within: hit.timestamp }]
  }
  return sources.map(({ session: own, timestamp, place }) => ({
    sessionId: own.id,
    after: timestamp - 1,
    through: timestamp,
    within: null,
    ...(place && { place }),
  }))
}
