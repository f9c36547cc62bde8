import { z } from 'zod'
import { dataNotice, fence } from '../../prompts/fence.ts'
import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText } from '../text-schemas.ts'
import { selectImportant } from './compose-queries.ts'
import { searchMemories } from './search-memories.ts'

const PromptInput = z.strictObject({
  /** `{{memories}}` or `{memories}` is where the memories go; without it they follow at the end. */
  template: cleanText(100_000).min(1),
  /** Memories at most. */
  recallK: z.int().min(1).max(100),
  /** Of the whole prompt, as `estimateTokens` counts them. */
  maxTokens: z.int().min(1).max(1_000_000),
})
export type PromptInput = z.input<typeof PromptInput>

export interface ComposedPrompt {
  readonly prompt: string
  readonly memoriesUsed: number
  /** An estimate; never above `maxTokens`. */
  readonly tokenCount: number
  /** True if memories, or the end of the template, had to be left out for want of tokens. */
  readonly truncated: boolean
}

const PLACEHOLDER = /\{\{\s*memories\s*\}\}|\{\s*memories\s*\}/gi

/**
 * A prompt with the memories of the scope that have most to do with its words, then the user's most important ones, as many as the budget
 * has room for. They are fenced as data. The template comes first: memories are left out before any of it is.
 */
export async function composePrompt(
  ctx: ServiceContext,
  scope: MemoryScope,
  input: PromptInput,
): Promise<ComposedPrompt> {
  const { template, recallK, maxTokens } = parseInput(PromptInput, input)
  const bare = template.replace(PLACEHOLDER, '')
  const without = estimateTokens(bare)
  if (without > maxTokens) {
    const prompt = longestWithin(bare, maxTokens)
    return { prompt, memoriesUsed: 0, tokenCount: estimateTokens(prompt), truncated: true }
  }
  const texts = await recall(ctx, scope, bare, recallK)
  const chosen = fitting(template, texts, maxTokens)
  const prompt = fill(template, chosen)
  return {
    prompt,
    memoriesUsed: chosen.length,
    tokenCount: estimateTokens(prompt),
    truncated: chosen.length < texts.length,
  }
}

async function recall(ctx: ServiceContext, scope: MemoryScope, query: string, limit: number): Promise<string[]> {
  const { found } = await searchMemories(ctx, scope, { query, limit })
  const { userId } = scope
  const left = limit - found.length
  const others =
    userId === undefined || left === 0
      ? []
      : await selectImportant(
          ctx.services.db,
          { ...scope, userId },
          { except: found.map(({ memory }) => memory.id), limit: left },
        )
  return [...found.map(({ memory }) => memory), ...others].map(({ content }) => content)
}

/** In their order; one that is too long makes room for the next. */
function fitting(template: string, texts: readonly string[], maxTokens: number): string[] {
  const chosen: string[] = []
  let left = maxTokens - estimateTokens(fill(template, ['x'])) + tokensOf('x')
  for (const text of texts) {
    // Its beginning tells of most texts that they are too long.
    if (tokensOf(text.slice(0, 8 * Math.max(left, 0))) > left || tokensOf(text) > left) continue
    chosen.push(text)
    left -= tokensOf(text)
  }
  // Counted apart, the parts may have a little less than the whole.
  while (chosen.length > 0 && estimateTokens(fill(template, chosen)) > maxTokens) chosen.pop()
  return chosen
}

/** As an item of the block. */
function tokensOf(text: string): number {
  return estimateTokens(fence('m', [text])) - EMPTY
}

const EMPTY = estimateTokens(fence('m', []))

/** In the first place that is there for them; other such places stay empty. */
function fill(template: string, texts: readonly string[]): string {
  const block = texts.length === 0 ? '' : `${dataNotice('memories')}\n${fence('memories', texts)}`
  const [first] = template.matchAll(PLACEHOLDER)
  if (!first) return block === '' ? template : `${template}\n\n${block}`
  const before = template.slice(0, first.index)
  const after = template.slice(first.index + first[0].length).replace(PLACEHOLDER, '')
  return `${before}${block}${after}`
}

/** Ends after a word. */
function longestWithin(text: string, maxTokens: number): string {
  let [fits, tooLong] = [0, text.length + 1]
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2)
    if (estimateTokens(text.slice(0, middle)) <= maxTokens) fits = middle
    else tooLong = middle
  }
  const cut = text.slice(0, fits)
  const atWord = /\s\S{0,40}$/.exec(cut)
  return (atWord && /\S/.test(text[fits] ?? ' ') ? cut.slice(0, atWord.index) : cut).toWellFormed()
}
