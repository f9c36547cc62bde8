import { toGatewayError } from '../../../src/domain/errors.ts'
import type { HttpContext } from '../../../src/http/context.ts'
import { MalformedRequestError, noteFailure, STATUS_OF } from '../../../src/http/errors.ts'

/** Renders any error in the service's envelope, `{problem}`. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const status = shown instanceof MalformedRequestError ? 400 : STATUS_OF[shown.code]
  const headers = noteFailure(c, error, shown, status)
  return c.json({ problem: shown.message }, status, headers)
}
