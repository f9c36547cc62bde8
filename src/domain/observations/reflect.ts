import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { ServiceContext } from '../context.ts'
import { type Observation, parseLog, renderLog, slicesOf } from './log.ts'
import { reflectByModel } from './reflect-by-model.ts'
import { reflectByRules } from './reflect-by-rules.ts'

/** Tokens that the model rewrites at a time: what it makes of more would take longer than a call may. */
const SLICE_TOKENS = 10_000
/** Of what there was. */
const KEPT_SHARE = 0.5

export interface Reflection {
  readonly log: string
  /** `rules` also where the model failed in a part of it. */
  readonly by: 'model' | 'rules'
}

/** The Reflector: the log in at most half as many tokens, by the chat model, or by rules where there is none, it fails or writes too much. */
export async function reflect(ctx: ServiceContext, log: string): Promise<Reflection> {
  const parsed = parseLog(log)
  const rewritten: Observation[] = []
  let { chatModel } = ctx.services
  let by: Reflection['by'] = 'model'
  for (const slice of slicesOf(parsed, SLICE_TOKENS)) {
    const most = Math.floor(estimateTokens(renderLog(slice)) * KEPT_SHARE)
    try {
      const byModel = chatModel && (await reflectByModel(ctx, chatModel, slice, most))
      rewritten.push(...(byModel ?? reflectByRules(slice, most)))
      if (!byModel) by = 'rules'
    } catch (error) {
      ctx.signal.throwIfAborted()
      ctx.log.warn({ err: error }, 'observations reflected upon by rules: the chat model failed')
      chatModel = undefined
      by = 'rules'
      rewritten.push(...reflectByRules(slice, most))
    }
  }
  return { log: renderLog(rewritten, parsed.hints), by }
}
