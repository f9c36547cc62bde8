import { createHash } from 'node:crypto'
import type { EngineContent, EnginePart } from '../../../db/schema/engine-messages.ts'
import { documentTerms } from '../../../text/tokenise.ts'
import type { EngineSession, NewMemory } from './queries.ts'
import { cutText } from './text/clean-text.ts'
import { fitsOnePassage, splitPassages } from './text/passages.ts'
import { partitionTerm, textVector } from './text/text-vector.ts'

const LONGEST_SUBJECT = 60

interface Passage {
  readonly subject: string
  readonly text: string
  /** Of the document; searched with more weight than the text. */
  readonly title: string
}

/** The first words of a text, as its heading. */
function firstWords(text: string): string {
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

function passagesOf(part: EnginePart): Passage[] {
  const title = part.title ?? ''
  return splitPassages(part.text).map((text) => ({ text, title, subject: firstWords(title || text) }))
}

/** What fits together is one memory; what does not is cut into passages, part by part. */
function* passages({ parts }: EngineContent): Generator<Passage> {
  const whole = parts.map(({ text }) => text).join('\n\n')
  const together = fitsOnePassage(whole) ? parts : parts.filter(({ text }) => fitsOnePassage(text))
  const own = parts.find(({ title }) => title === undefined)
  let shared: EnginePart[] = []
  const close = (): Passage[] => {
    if (shared.length === 0) return []
    const text = shared.map((part) => part.text).join('\n\n')
    const titles = shared.flatMap(({ title }) => (title === undefined ? [] : [title]))
    const subject = firstWords((own && shared.includes(own) ? own.text : titles[0]) ?? text)
    shared = []
    return [{ subject, text, title: titles.join('\n') }]
  }
  for (const part of together) {
    if (shared.length > 0 && !fitsOnePassage([...shared, part].map(({ text }) => text).join('\n\n'))) yield* close()
    shared.push(part)
  }
  yield* close()
  for (const part of parts) if (!together.includes(part)) yield* passagesOf(part)
}

/** The memories of one message, made one at a time so that the caller can rest between pages of them. */
export function* composeMemories(
  session: EngineSession,
  timestamp: number,
  content: EngineContent,
): Generator<NewMemory> {
  const partition = partitionTerm(session)
  const speaker = documentTerms(content.speaker)
  let passage = 0
  for (const { subject, text, title } of passages(content)) {
    const body = documentTerms(text)
    const id = createHash('sha256')
      .update(JSON.stringify([session.projectId, session.senderId, session.sessionId, timestamp, passage]))
      .digest('hex')
      .slice(0, 32)
    const terms = textVector(partition, { title: documentTerms(title), speaker, body })
    yield { id, timestamp, passage, subject, body: text, length: body.length, terms }
    passage++
  }
}
