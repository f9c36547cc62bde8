import { type ErrorHandler, Hono } from 'hono'
import type { HttpEnv } from './context.ts'

/** The routes of another service's API. */
export type DialectRouter = Hono<HttpEnv>

/** A router whose errors, also those of what it uses, are the dialect's. */
export function createDialectRouter(renderError: ErrorHandler<HttpEnv>): DialectRouter {
  const router = new Hono<HttpEnv>()
  router.onError(renderError)
  return router
}

/** A path is the same with and without a slash at its end. */
export function slashed(path: string): string[] {
  return [path, `${path}/`]
}

/** What a request has at the place that a schema blames; undefined: nothing. */
export function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    given,
  )
}

/** Computed scores have more digits than meaning. What was not computed is null. */
export function rounded(score: number): number
export function rounded(score: number | null | undefined): number | null
export function rounded(score: number | null | undefined): number | null {
  return typeof score === 'number' ? Math.round(score * 1e6) / 1e6 : null
}
