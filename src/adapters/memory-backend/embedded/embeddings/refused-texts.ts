import { ModelError } from '../../../../ports/model-provider.ts'

/** The model refused what was sent; any other failure may be put right: a key, its name, a quota, a server that is away. */
export function isAboutTexts(error: unknown): error is ModelError {
  return error instanceof ModelError && error.failure === 'rejected' && !error.needsOperator
}
