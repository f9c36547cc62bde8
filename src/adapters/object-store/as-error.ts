/** Streams are destroyed with errors; a signal's reason may be anything. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
