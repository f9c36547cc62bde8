import { z } from 'zod'
import { ModelError } from '../../ports/model-provider.ts'
import { dataNotice, fence } from '../../prompts/fence.ts'
import type { ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { askForJson } from './model/ask-for-json.ts'
import { requireModel } from './model/require-model.ts'
import type { MemoryRow } from './queries.ts'

export interface MemoryAnswer {
  /** Null if there was no memory to answer from; the model was not asked then. */
  readonly answer: string | null
  /** The memories that the answer is drawn from, in the order given. */
  readonly cited: readonly MemoryRow[]
}

const MOST_TOKENS = 2_000
/** So much of one memory is shown to the model. */
const LONGEST_SHOWN = 2_000

const Answer = z.strictObject({ answer: z.string(), sources: z.array(z.number()) })

/**
 * Has the chat model answer a question from these memories alone, or, without one, say what they say together. `unavailable` without a chat
 * model, and if it does not answer; `backend_failed` if it refuses.
 */
export async function answerFromMemories(
  ctx: ServiceContext,
  memories: readonly MemoryRow[],
  question: string | undefined,
): Promise<MemoryAnswer> {
  const chatModel = requireModel(ctx)
  if (memories.length === 0) return { answer: null, cited: [] }
  const texts = memories.map(({ content }) => content.slice(0, LONGEST_SHOWN))
  const blocks = question === undefined ? [] : [fence('question', [question])]
  try {
    const given = await askForJson(ctx, chatModel, {
      name: 'answer',
      schema: Answer,
      system: question === undefined ? instructions(SYNTHESIS) : instructions(REPLY),
      data: [fence('memories', texts), ...blocks].join('\n'),
      maxTokens: MOST_TOKENS,
    })
    // What the model names is looked up, not believed.
    const cited = new Set(given.sources)
    return { answer: given.answer.trim().toWellFormed(), cited: memories.filter((_, index) => cited.has(index + 1)) }
  } catch (error) {
    throw error instanceof ModelError ? unanswered(error) : error
  }
}

const REPLY = 'You answer the question from the memories of a user, and from nothing else. Say so if they do not tell.'
const SYNTHESIS = 'You say in a few sentences what the memories of a user say together, and nothing else.'

function instructions(task: string): string {
  return [
    task,
    dataNotice('memories'),
    'sources: the numbers of the memories that the answer is drawn from. Write in the language of the memories or the question.',
  ].join('\n')
}

function unanswered(error: ModelError): GatewayError {
  if (error.failure === 'rejected') {
    return new GatewayError('backend_failed', 'The chat model refused the request.', { cause: error })
  }
  return new GatewayError('unavailable', 'The chat model does not answer now. Try again.', {
    cause: error,
    retryAfter: error.retryAfter ?? 5,
  })
}
