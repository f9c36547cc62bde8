import { OpenAPIHono } from '@hono/zod-openapi'
import { invalidRequest } from '../domain/parse-input.ts'
import type { HttpEnv } from './context.ts'
import { renderError } from './errors.ts'

/** A router of the native API: schema faults become `invalid_request`, and every error the native envelope. */
export function createRouter(): OpenAPIHono<HttpEnv> {
  const router = new OpenAPIHono<HttpEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues)
    },
  })
  router.onError(renderError)
  return router
}
