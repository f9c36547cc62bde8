import { z } from 'zod'
import { ModelError, type ModelProvider } from '../../../ports/model-provider.ts'
import { dataNotice, fence } from '../../../prompts/fence.ts'
import type { ServiceContext } from '../../context.ts'
import { isCleanText } from '../../text-schemas.ts'
import { summarizeByRules } from '../rules/extractive-summary.ts'
import { askForJson } from './ask-for-json.ts'

const MOST_TEXTS = 200
/** What does not fit is first shortened by the rules, each text to its share. */
const MOST_CHARACTERS = 24_000
const MOST_KEY_POINTS = 5
const LONGEST_KEY_POINT = 200
const MOST_TOKENS = 2_000

const Answer = z.strictObject({ summary: z.string(), key_points: z.array(z.string()) })

/** Undefined if the model failed, or has no tokens left; the rules then do its work. */
export async function summarizeByModel(
  ctx: ServiceContext,
  model: ModelProvider,
  texts: readonly string[],
  maxLength: number,
): Promise<{ summary: string; keyPoints: string[] } | undefined> {
  try {
    const answer = await askForJson(ctx, model, {
      name: 'summary',
      schema: Answer,
      system: instructions(maxLength),
      data: fence('texts', fitting(texts)),
      maxTokens: MOST_TOKENS,
    })
    const summary = answer.summary.trim()
    if (summary === '' || !isCleanText(summary)) throw new ModelError('unavailable', 'The chat model gave no summary.')
    const keyPoints = answer.key_points
      .map((point) => point.trim())
      .filter((point) => point !== '' && point.length <= LONGEST_KEY_POINT && isCleanText(point))
    return {
      summary: summary.length > maxLength ? summarizeByRules([summary], maxLength).summary : summary,
      keyPoints: keyPoints.slice(0, MOST_KEY_POINTS),
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    ctx.log.warn({ err: error }, 'texts summarized by rules: the chat model failed')
    return undefined
  }
}

function instructions(maxLength: number): string {
  return [
    'You summarize texts that belong together: what is remembered of a user.',
    dataNotice('texts'),
    `Write the summary in the language of most of the texts, in ${maxLength} characters at most. Say only what the texts say; add nothing.`,
    'Where texts contradict each other, the later one holds. Keep names, numbers and dates.',
    `key_points: up to ${MOST_KEY_POINTS} short sentences, each in ${LONGEST_KEY_POINT} characters at most.`,
  ].join('\n')
}

function fitting(texts: readonly string[]): string[] {
  const shown = texts.slice(-MOST_TEXTS)
  const total = shown.reduce((sum, text) => sum + text.length, 0)
  if (total <= MOST_CHARACTERS) return shown
  const share = Math.floor(MOST_CHARACTERS / shown.length)
  return shown.map((text) => (text.length <= share ? text : summarizeByRules([text], share).summary))
}
