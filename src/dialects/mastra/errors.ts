import { toGatewayError } from '../../domain/errors.ts'
import { describeError } from '../../http/chat-errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { noteFailure } from '../../http/errors.ts'

/** Renders any error as `{"error": {"message", "type"}}`; beyond a limit also with `scope` and `retry_after_seconds`. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const { status, type, limit } = describeError(shown)
  const headers = noteFailure(c, error, shown, status)
  return c.json({ error: { message: shown.message, type, ...limit } }, status, headers)
}
