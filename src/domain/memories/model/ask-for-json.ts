import { z } from 'zod'
import { type ChatMessage, type ChatPicture, ModelError, type ModelProvider } from '../../../ports/model-provider.ts'
import type { ServiceContext } from '../../context.ts'
import { askModel } from './ask-model.ts'

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

/** What is shown of an answer to the model that is to repair it. */
const LONGEST_SHOWN = 20_000

/**
 * Asks the model for JSON of a schema; once more if its answer does not fit it, or if it refuses schemas. Fails with a `ModelError` after
 * that.
 */
export async function askForJson<T extends z.ZodType>(
  ctx: ServiceContext,
  model: ModelProvider,
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
  const ask = (more: readonly ChatMessage[], withSchema: boolean) =>
    askModel(ctx, model, {
      messages: [...messages, ...more],
      maxTokens: question.maxTokens,
      ...(withSchema && { schema: { name: question.name, schema } }),
    })
  const first = await ask([], true).catch((error: unknown) => {
    // Not every server knows of schemas; the prompt has it too.
    if (error instanceof ModelError && error.failure === 'rejected') return undefined
    throw error
  })
  if (!first) return accept(question.schema, (await ask([], false)).text)
  const read = parse(question.schema, first.text)
  if (read.success) return read.data
  const repair: ChatMessage[] = [
    { role: 'assistant', content: first.text.slice(0, LONGEST_SHOWN).toWellFormed() },
    { role: 'user', content: `That is not valid: ${faultsOf(read.error)}. Answer again, with the JSON object alone.` },
  ]
  return accept(question.schema, (await ask(repair, true)).text)
}

function accept<T extends z.ZodType>(schema: T, text: string): z.output<T> {
  const read = parse(schema, text)
  if (read.success) return read.data
  throw new ModelError('unavailable', `The chat model gave no valid JSON: ${faultsOf(read.error)}.`)
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
