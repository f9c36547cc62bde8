import type { ServiceContext } from '../context.ts'
import { summarizeByModel } from './model/summarize-by-model.ts'
import { summarizeByRules } from './rules/extractive-summary.ts'

export interface Summary {
  readonly summary: string
  /** Up to 5. */
  readonly keyPoints: string[]
  /** `rules`: sentences of the texts themselves; also where the model failed. */
  readonly by: 'model' | 'rules'
}

export interface SummaryOptions {
  /** Characters of the summary at most. Default 1000. */
  readonly maxLength?: number | undefined
}

/** The rules leave out half of what is longer. */
const SHORT = 240

/**
 * A summary of texts that belong together, oldest first, in their language: by the chat model if there is one, and of their own sentences
 * where there is none or it fails. Empty for no texts.
 */
export async function summarizeTexts(
  ctx: ServiceContext,
  texts: readonly string[],
  options: SummaryOptions = {},
): Promise<Summary> {
  const { maxLength = 1_000 } = options
  const said = texts.filter((text) => text.trim() !== '')
  if (said.length === 0) return { summary: '', keyPoints: [], by: 'rules' }
  const { chatModel } = ctx.services
  const byModel = chatModel && (await summarizeByModel(ctx, chatModel, said, maxLength))
  if (byModel) return { ...byModel, by: 'model' }
  const total = said.reduce((sum, text) => sum + text.length, 0)
  return { ...summarizeByRules(said, Math.min(maxLength, Math.max(SHORT, Math.ceil(total / 2)))), by: 'rules' }
}
