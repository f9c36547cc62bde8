import { sqlState } from '../../../db/sql-state.ts'
import { BackendError } from '../../../ports/memory-backend.ts'

/** SQLSTATE classes of data that no retry makes fit: data exception, limit of the program exceeded. */
const REFUSED = /^(?:22|54)/
/** Connection trouble and a server that shuts down: a statement under way may have been done. */
const AWAY = /^(?:08|57)/

/** What a failed statement or transaction means to the caller. */
export function asBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error
  const state = sqlState(error)
  const options = { cause: error }
  if (state === undefined || AWAY.test(state)) {
    return new BackendError('unknown', 'UNREACHABLE', 'The database of the embedded backend did not answer.', options)
  }
  if (REFUSED.test(state)) {
    return new BackendError(
      'rejected',
      'INVALID_DATA',
      'The database of the embedded backend refused the data.',
      options,
    )
  }
  return new BackendError('not_accepted', 'DATABASE_ERROR', 'The database of the embedded backend failed.', options)
}

/** Throws if the caller has given up; used only where nothing has been written yet. */
export function throwIfGivenUp(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  throw new BackendError(
    'not_accepted',
    timedOut ? 'TIMEOUT' : 'ABORTED',
    'The call was given up before anything was kept.',
    {
      cause: signal.reason,
      timedOut,
    },
  )
}
