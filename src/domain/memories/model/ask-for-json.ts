import type { z } from 'zod'
import type { ModelProvider } from '../../../ports/model-provider.ts'
import { askForJson as ask, type JsonQuestion } from '../../../prompts/ask-for-json.ts'
import type { ServiceContext } from '../../context.ts'
import { askModel } from './ask-model.ts'

/** Asks the model for JSON of a schema, as its prompt's module does, and counts the tokens. */
export function askForJson<T extends z.ZodType>(
  ctx: ServiceContext,
  model: ModelProvider,
  question: JsonQuestion<T>,
): Promise<z.output<T>> {
  return ask((request) => askModel(ctx, model, request), question)
}
