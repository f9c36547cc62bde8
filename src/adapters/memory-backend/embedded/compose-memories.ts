import { createHash } from 'node:crypto'
import { TERMS_VERSION } from '../../../db/schema/engine-memories.ts'
import type { EngineContent, EnginePart } from '../../../db/schema/engine-messages.ts'
import type { FilePlace } from '../../../ports/memory-backend.ts'
import { signsOf } from '../../../text/text-signs.ts'
import { documentTerms } from '../../../text/tokenise.ts'
import type { EngineSession, NewMemory } from './queries.ts'
import { cutText } from './text/clean-text.ts'
import { fitsOnePassage, splitPassages } from './text/passages.ts'
import { scopeTerms } from './text/scope-terms.ts'
import { textVector } from './text/text-vector.ts'

const LONGEST_SUBJECT = 60

interface Passage {
  readonly subject: string
  readonly text: string
  /** Of the document; searched with more weight than the text. */
  readonly title: string
  readonly kind: 'turn' | 'passage'
  readonly place: FilePlace | undefined
}

/** The first words of a text, as its heading. */
export function firstWords(text: string): string {
  const line =
    text
      .trimStart()
      .split('\n', 1)[0]
      ?.replace(/^[#>*\-\s]+/, '') ?? ''
  if (line.length <= LONGEST_SUBJECT) return line
  const cut = cutText(line, LONGEST_SUBJECT)
  const lastSpace = cut.lastIndexOf(' ')
  return `${(lastSpace > LONGEST_SUBJECT / 2 ? cut.slice(0, lastSpace) : cut).trimEnd()}…`
}

function textOf(parts: readonly EnginePart[]): string {
  return parts.map(({ text }) => text).join('\n\n')
}

/** Title lines of all parts, each once. */
function titleOf(parts: readonly EnginePart[]): string {
  return [...new Set(parts.flatMap(({ title }) => title?.split('\n') ?? []))].join('\n')
}

/** Parts as one passage; what the message itself says gives it its name. */
function asPassage(parts: readonly EnginePart[]): Passage {
  const text = textOf(parts)
  const title = titleOf(parts)
  const own = parts.find((part) => part.title === undefined)
  return {
    subject: firstWords(own?.text ?? (title || text)),
    text,
    title,
    kind: own ? 'turn' : 'passage',
    place: sharedPlace(parts),
  }
}

function isNumbered({ page, sheet, slide }: FilePlace): boolean {
  return page !== undefined || sheet !== undefined || slide !== undefined
}

/** The file that all of the parts are of, as far as it is one, and where in it they stand. */
function sharedPlace(parts: readonly EnginePart[]): FilePlace | undefined {
  const places = parts.flatMap(({ place }) => (place ? [place] : []))
  const [first] = places
  if (!first || places.some(({ sha256 }) => sha256 !== first.sha256)) return undefined
  return places.length === 1 ? first : { sha256: first.sha256 }
}

/** Neighbours together as long as they fit one passage; what does not fit one alone is cut. */
function* pack(parts: Iterable<EnginePart>): Generator<Passage> {
  let packed: EnginePart[] = []
  for (const part of parts) {
    if (packed.length > 0 && !fitsOnePassage(textOf([...packed, part]))) {
      yield asPassage(packed)
      packed = []
    }
    if (fitsOnePassage(part.text)) packed.push(part)
    else for (const text of splitPassages(part.text)) yield { ...asPassage([part]), text, kind: 'passage' }
  }
  if (packed.length > 0) yield asPassage(packed)
}

/** A part with a number or name in its file stands alone; other parts of one file, one after the other, belong together. */
function groupParts(parts: readonly EnginePart[]): EnginePart[][] {
  const groups: EnginePart[][] = []
  for (const part of parts) {
    const last = groups.at(-1)
    const before = last?.at(-1)?.place
    if (before && part.place?.sha256 === before.sha256 && !isNumbered(part.place)) last?.push(part)
    else groups.push([part])
  }
  return groups
}

/**
 * What the message says, and its short files, share a memory as far as they fit one. Of longer files each has memories of its own, and so has each page,
 * sheet and slide: it can then be said where in the file they stand.
 */
function* passages({ parts }: EngineContent): Generator<Passage> {
  const groups = groupParts(parts)
  const shares = (group: readonly EnginePart[]) =>
    group.every(({ place }) => !place || !isNumbered(place)) && fitsOnePassage(textOf(group))
  yield* pack(groups.filter(shares).flat())
  for (const group of groups) if (!shares(group)) for (const part of group) yield* pack([part])
}

/** The memories of one message, made one at a time so that the caller can rest between pages of them. */
export function* composeMemories(
  session: EngineSession,
  timestamp: number,
  content: EngineContent,
): Generator<NewMemory> {
  const speaker = documentTerms(content.speaker)
  let passage = 0
  for (const { subject, text, title, kind, place } of passages(content)) {
    const body = documentTerms(text)
    const id = createHash('sha256')
      .update(JSON.stringify([session.projectId, session.senderId, session.sessionId, timestamp, passage]))
      .digest('hex')
      .slice(0, 32)
    const scope = scopeTerms(session, { id, timestamp }, Date.now())
    const terms = textVector(scope, { title: documentTerms(title), speaker, body }, signsOf(text))
    const { speaker: name, role } = content
    const said = {
      subject,
      body: text,
      termsVersion: TERMS_VERSION,
      kind,
      speaker: name,
      ...(role && { role }),
      ...(place && { place }),
    }
    yield { id, timestamp, passage, ...said, length: body.length, terms }
    passage++
  }
}
