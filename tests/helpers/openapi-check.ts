import { z } from 'zod'
import { type Answer, call } from './client.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- a JSON document, looked at freely
type Json = any

/** Checks answers against a gateway's own OpenAPI document. */
export interface ApiDocument {
  /** `GET /users/{user_id}/keys` and the like. */
  readonly routes: readonly string[]
  /** Throws if the route does not declare such an answer, or declares another body. Undeclared properties count. */
  check(route: string, answer: Answer): void
}

export async function readApiDocument(base: string): Promise<ApiDocument> {
  const { body: document } = await call(`${base}/openapi.json`)
  const operations = new Map<string, Json>(
    Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  )
  const defs = closed(document.components.schemas)
  const compiled = new Map<string, z.ZodType>()
  const compile = (name: string, schema: Json): z.ZodType => {
    const known = compiled.get(name) ?? z.fromJSONSchema({ ...closed(schema), $defs: defs })
    compiled.set(name, known)
    return known
  }
  return {
    routes: [...operations.keys()],
    check(route, { status, headers, body }) {
      const response = operations.get(route)?.responses[status]
      if (!response) throw new Error(`${route} does not declare ${status}: ${JSON.stringify(body)}`)
      const type = headers.get('content-type')?.split(';')[0]
      const schema = response.content?.['application/json']?.schema
      if (!response.content && body !== '') throw new Error(`${route} declares no body for ${status}`)
      if (!schema) return
      if (type !== 'application/json') throw new Error(`${route} answers ${status} as ${type}`)
      const result = compile(`${route} ${status}`, schema).safeParse(body)
      if (!result.success) throw new Error(`${route} ${status}: ${z.prettifyError(result.error)}`)
    },
  }
}

/** The schema with references as zod reads them, and objects without properties beyond those declared. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]))
  if (typeof copy.$ref === 'string') copy.$ref = copy.$ref.replace('#/components/schemas/', '#/$defs/')
  if (copy.type === 'object' && copy.properties && !('additionalProperties' in copy)) copy.additionalProperties = false
  return copy
}
