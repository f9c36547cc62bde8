import type { Database } from '../../../../db/database.ts'
import type { ChatReply, ChatRequest, ModelProvider } from '../../../../ports/model-provider.ts'
import { estimateTokens } from '../../../../text/estimate-tokens.ts'
import { reserveTokens, type Spender, settleTokens, type Tokens } from './budget.ts'
import type { ModelEvents, ModelPurpose } from './model-events.ts'

/** The user has no tokens left today. */
export class BudgetSpentError extends Error {
  override name = 'BudgetSpentError'
}

export interface MeterOptions {
  readonly db: Database
  /** Of one user. */
  readonly tokensPerDay: number
  readonly events?: ModelEvents | undefined
}

/** A picture of middling size; providers count from some hundred to two thousand. */
const PICTURE_TOKENS = 1_000

/** One call of a model within the budget of its user; what it used is counted and told. `BudgetSpentError`, or as `ask` fails. */
export async function meterCall<T extends { tokens?: Tokens | undefined }>(
  { db, tokensPerDay, events }: MeterOptions,
  spender: Spender,
  call: { readonly purpose: ModelPurpose; readonly model: string; readonly estimate: number },
  ask: () => Promise<T>,
  outputOf: (answer: T) => number,
): Promise<T> {
  const reservation = await reserveTokens(db, spender, call.estimate, tokensPerDay)
  if (!reservation) {
    events?.budgetSpent(spender.ownerId)
    throw new BudgetSpentError('The tokens of the day are spent.')
  }
  const { purpose, model } = call
  const start = performance.now()
  const tell = (outcome: 'answered' | 'failed', { input, output }: Tokens) =>
    events?.modelAsked({
      purpose,
      outcome,
      model,
      inputTokens: input,
      outputTokens: output,
      ms: Math.round(performance.now() - start),
    })
  const answer = await ask().catch(async (error: unknown) => {
    tell('failed', { input: 0, output: 0 })
    await settleTokens(db, reservation, { input: 0, output: 0 })
    throw error
  })
  const used = answer.tokens ?? { input: call.estimate, output: outputOf(answer) }
  tell('answered', used)
  await settleTokens(db, reservation, used)
  return answer
}

export function completeMetered(
  meter: MeterOptions,
  spender: Spender,
  { purpose, model }: { readonly purpose: ModelPurpose; readonly model: ModelProvider },
  request: ChatRequest,
  signal: AbortSignal,
): Promise<ChatReply> {
  const read = request.messages.map(({ content }) => content).join('\n')
  const pictures = request.messages.reduce((count, message) => count + (message.pictures?.length ?? 0), 0)
  const estimate = estimateTokens(read) + pictures * PICTURE_TOKENS
  signal.throwIfAborted()
  return meterCall(
    meter,
    spender,
    { purpose, model: model.model, estimate },
    () => model.complete(request, signal),
    ({ text }) => estimateTokens(text),
  )
}
