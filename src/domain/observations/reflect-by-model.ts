import { z } from 'zod'
import type { ModelProvider } from '../../ports/model-provider.ts'
import { dataNotice, fence } from '../../prompts/fence.ts'
import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { ServiceContext } from '../context.ts'
import { askForJson } from '../memories/model/ask-for-json.ts'
import { isCleanText } from '../text-schemas.ts'
import { type Observation, priorities, renderLog } from './log.ts'

const MOST_TOKENS = 8_000
const LONGEST_TEXT = 1_000
/** Said to the model, one after the other, until what it writes is short enough. */
const DEMANDS = [
  'Join what belongs together, and leave out what no longer matters.',
  'Your last notes were too long. Be much stricter: keep every note of high priority in few words, join the others day by day, and drop those of low priority.',
]

/** A part of a log, rewritten in no more than so many tokens; undefined if the model does not get it that short. Fails as the model does. */
export async function reflectByModel(
  ctx: ServiceContext,
  model: ModelProvider,
  observations: readonly Observation[],
  mostTokens: number,
): Promise<Observation[] | undefined> {
  const dates = new Set(observations.map(({ date }) => date))
  for (const demand of DEMANDS) {
    const answer = await askForJson(ctx, model, {
      name: 'reflection',
      schema: answerOf(dates),
      system: instructions(demand, mostTokens),
      data: fence('notes', [renderLog(observations)]),
      maxTokens: MOST_TOKENS,
    })
    const rewritten = answer.observations.toSorted((one, other) => order(one).localeCompare(order(other)))
    if (rewritten.length > 0 && estimateTokens(renderLog(rewritten)) <= mostTokens) return rewritten
  }
  return undefined
}

function order({ date, time }: Pick<Observation, 'date' | 'time'>): string {
  return `${date} ${time}`
}

function answerOf(dates: ReadonlySet<string>) {
  const line = z.string().refine((text) => text.length <= LONGEST_TEXT && isCleanText(text))
  return z.strictObject({
    observations: z.array(
      z.strictObject({
        date: z.string().refine((date) => dates.has(date)),
        time: z.string().refine((time) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time)),
        priority: z.enum(priorities),
        text: line.refine((text) => text.trim() !== ''),
        details: z.array(line),
      }),
    ),
  })
}

function instructions(demand: string, mostTokens: number): string {
  return [
    'You rewrite the notes of a conversation between a user and an assistant, because they have become too long. They are all that is left of it: what you drop is forgotten.',
    dataNotice('notes'),
    'A note has a date, a time and a priority: 🔴 high, 🟡 medium, 🟢 low. Lines under it are its details.',
    demand,
    `Write at most ${Math.floor(mostTokens / 2)} words in all, in the language of the notes.`,
    'Keep what the user stated of themselves, decisions, open goals, names, numbers and dates. What the user stated outweighs what the user asked.',
    'Where notes contradict each other, the later one holds; say what it replaced if that still matters.',
    'Be brief about what is old, and detailed about what is new. A note made of several has the date and time of the latest of them; use no other dates.',
    'Add nothing that the notes do not say.',
  ].join('\n')
}
