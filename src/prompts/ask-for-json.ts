import { z } from 'zod'
import {
  type ChatMessage,
  type ChatPicture,
  type ChatReply,
  type ChatRequest,
  ModelError,
} from '../ports/model-provider.ts'

export interface JsonQuestion<T extends z.ZodType> {
  /** A short name of the answer, a-z and _. */
  readonly name: string
  readonly schema: T
  readonly system: string
  /** Data, fenced. */
  readonly data: string
  /** Shown after the data. */
  readonly pictures?: readonly ChatPicture[]
  readonly maxTokens: number
}

/** Asks a chat model once, as `ModelProvider.complete`. */
export type Complete = (request: ChatRequest) => Promise<ChatReply>

/** The model answers, but not what it was asked for, also when it is told so. */
export class InvalidAnswerError extends ModelError {
  override name = 'InvalidAnswerError'

  constructor(faults: string) {
    super('unavailable', `The chat model gave no valid JSON: ${faults}.`)
  }
}

/** What is shown of an answer to the model that is to repair it. */
const LONGEST_SHOWN = 20_000

/**
 * Asks the model for JSON of a schema; once more if its answer does not fit it (`InvalidAnswerError` after that), or if it refuses schemas. Other
 * failures are those of `complete`.
 */
export async function askForJson<T extends z.ZodType>(
  complete: Complete,
  question: JsonQuestion<T>,
): Promise<z.output<T>> {
  const schema = z.toJSONSchema(question.schema, { io: 'input' })
  const messages: ChatMessage[] = [
    {
      role: 'system',
      content: `${question.system}\nAnswer with one JSON object of this JSON schema and nothing else:\n${JSON.stringify(schema)}`,
    },
    { role: 'user', content: question.data, ...(question.pictures && { pictures: question.pictures }) },
  ]
  let withSchema = true
  const ask = (more: readonly ChatMessage[]) =>
    complete({
      messages: [...messages, ...more],
      maxTokens: question.maxTokens,
      ...(withSchema && { schema: { name: question.name, schema } }),
    })
  const first = await ask([]).catch((error: unknown) => {
    if (!(error instanceof ModelError) || error.failure !== 'rejected' || error.needsOperator) throw error
    // Not every server knows of schemas; the prompt has it too.
    withSchema = false
    return ask([])
  })
  const read = parse(question.schema, first.text)
  if (read.success) return read.data
  const repair: ChatMessage[] = [
    { role: 'assistant', content: first.text.slice(0, LONGEST_SHOWN).toWellFormed() },
    { role: 'user', content: `That is not valid: ${faultsOf(read.error)}. Answer again, with the JSON object alone.` },
  ]
  const second = parse(question.schema, (await ask(repair)).text)
  if (second.success) return second.data
  throw new InvalidAnswerError(faultsOf(second.error))
}

/** Models like to put JSON into a block of Markdown, or a word before it. */
function parse<T extends z.ZodType>(schema: T, text: string): z.ZodSafeParseResult<z.output<T>> {
  const json = text.slice(Math.max(0, text.indexOf('{')), text.lastIndexOf('}') + 1)
  try {
    return schema.safeParse(JSON.parse(json))
  } catch {
    return schema.safeParse(undefined)
  }
}

/** Where, not what: an answer may quote people. */
function faultsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, code }) => `${path.join('.') || 'the object'}: ${code}`)
    .join('; ')
}
