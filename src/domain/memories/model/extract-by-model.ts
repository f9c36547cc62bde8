import { z } from 'zod'
import type { ModelProvider } from '../../../ports/model-provider.ts'
import { dataNotice, fence } from '../../../prompts/fence.ts'
import type { ServiceContext } from '../../context.ts'
import { isCleanText } from '../../text-schemas.ts'
import type { ExtractionOptions, Found, IndexedMessage, MemoryCandidate } from '../extract-memories.ts'
import { isFiller } from '../rules/fillers.ts'
import { memoryTypes } from '../schemas.ts'
import { termsOf } from '../terms.ts'
import { askForJson } from './ask-for-json.ts'

/** The latest messages go to the model; earlier ones go by the rules. */
const MOST_MESSAGES = 100
const MOST_CHARACTERS = 24_000
const MOST_MEMORIES = 200
const LONGEST_CONTENT = 1_000
const MOST_KEY_POINTS = 5
const LONGEST_KEY_POINT = 200
const MOST_TOKENS = 4_000

/** Plain types only: providers differ in what else of a schema they know. Bounds are checked on the answer. */
const Answer = z.strictObject({
  memories: z.array(
    z.strictObject({
      content: z.string(),
      type: z.enum(memoryTypes),
      confidence: z.number(),
      importance: z.number(),
      key_points: z.array(z.string()),
      sources: z.array(z.number()),
    }),
  ),
})
type Proposed = z.infer<typeof Answer>['memories'][number]

export interface FoundByModel extends Found {
  /** What came before that message, the model was not shown. */
  readonly from: number
}

/** Undefined if the model failed, has no tokens left, or was shown nothing; the rules then do its work. */
export async function extractByModel(
  ctx: ServiceContext,
  model: ModelProvider,
  messages: readonly IndexedMessage[],
  options: ExtractionOptions,
): Promise<FoundByModel | undefined> {
  const shown = latest(messages)
  const [first] = shown
  if (!first || !shown.some(({ role }) => role === 'user' || options.includeAssistant)) return undefined
  try {
    const { memories } = await askForJson(ctx, model, {
      name: 'memories',
      schema: Answer,
      system: instructions(options),
      data: fence(
        'conversation',
        shown.map(({ role, content }) => `${role}: ${content}`),
      ),
      maxTokens: MOST_TOKENS,
    })
    const accepted = memories.slice(0, MOST_MEMORIES).flatMap((proposed) => accept(proposed, shown, options))
    return {
      candidates: accepted.toSorted((one, other) => Math.min(...one.sources) - Math.min(...other.sources)),
      dropped: memories.length - accepted.length,
      from: first.index,
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    ctx.log.warn({ err: error }, 'memories extracted by rules: the chat model failed')
    return undefined
  }
}

function instructions({ includeAssistant = false }: ExtractionOptions): string {
  return [
    'You find what is worth remembering about a user in a conversation.',
    dataNotice('conversation'),
    'Write each memory as one short sentence that is understood on its own, about "the user", in the language of the conversation.',
    'Take only what the messages state. Conclude nothing, add nothing, and leave out greetings, thanks, questions and requests.',
    includeAssistant
      ? 'Take what the assistant states too; begin such a memory with "The assistant said:", with a confidence of 0.3 at most.'
      : 'Of what the assistant says take only what the user confirms.',
    `type: preference (likes, dislikes, wishes for how to be served), goal (intentions), relationship (people), experience (what happened), fact (all else).`,
    'confidence: 0 to 1, how clearly it is stated. importance: 0 to 1, how much it will matter later; health, names and deadlines matter most.',
    'key_points: empty for a short memory. sources: the numbers of the messages that state it. No memories: an empty list.',
  ].join('\n')
}

function latest(messages: readonly IndexedMessage[]): IndexedMessage[] {
  const shown: IndexedMessage[] = []
  let characters = 0
  for (const message of messages.toReversed()) {
    if (message.role !== 'user' && message.role !== 'assistant') continue
    characters += message.content.length
    if (characters > MOST_CHARACTERS || shown.length === MOST_MESSAGES) break
    shown.unshift(message)
  }
  return shown
}

/** Nothing of a model's answer is believed as it is: bounds are kept, and each memory has to be about the messages it names. */
function accept(proposed: Proposed, shown: readonly IndexedMessage[], options: ExtractionOptions): MemoryCandidate[] {
  const content = proposed.content.trim()
  const named = [...new Set(proposed.sources)].flatMap((number) => shown[number - 1] ?? [])
  const mayState = named.some(({ role }) => role === 'user' || options.includeAssistant)
  if (!mayState || content.length > LONGEST_CONTENT || !isCleanText(content) || isFiller(content)) return []
  if (!isAbout(content, named)) return []
  const keyPoints = proposed.key_points.map((point) => point.trim()).filter((point) => isKeyPoint(point))
  return [
    {
      content,
      type: proposed.type,
      confidence: share(proposed.confidence),
      importance: share(proposed.importance),
      keyPoints: keyPoints.slice(0, MOST_KEY_POINTS),
      sources: named.map(({ index }) => index).toSorted((one, other) => one - other),
    },
  ]
}

function isKeyPoint(point: string): boolean {
  return point !== '' && point.length <= LONGEST_KEY_POINT && isCleanText(point)
}

function isAbout(content: string, messages: readonly IndexedMessage[]): boolean {
  const said = new Set(messages.flatMap((message) => termsOf(message.content).terms))
  return termsOf(content).terms.some((term) => term !== 'user' && said.has(term))
}

function share(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0
}
