import type { z } from 'zod'
import { GatewayError } from '../../domain/errors.ts'
import { parseInput } from '../../domain/parse-input.ts'
import { threadId } from '../../domain/text-schemas.ts'
import { resourceNames } from '../../domain/threads/list-threads.ts'
import { findThread, unknownThread } from '../../domain/threads/open-thread.ts'
import type { RealmContext, ThreadContext, ThreadRow } from '../../domain/threads/thread-context.ts'
import { asUser } from '../../domain/users/end-users.ts'
import { type HttpContext, takeTurn } from '../../http/context.ts'
import { MalformedRequestError } from '../../http/errors.ts'
import { type GatewaySender, identifyCaller, knownResource, resourceHeader } from '../../http/gateway-key.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { ResourceQuery } from './schemas.ts'

/** No thread has a larger title and metadata, and no message that is added is longer. */
const MAX_BODY_BYTES = 1024 * 1024

export const identifyReader = (c: HttpContext): Promise<GatewaySender> =>
  identifyCaller(c, { scope: 'read', rate: 'memory_read' })

export const identifyWriter = (c: HttpContext): Promise<GatewaySender> =>
  identifyCaller(c, { scope: 'write', rate: 'memory_write' })

/** A request about threads that are there already, when it is its turn. */
export interface ThreadRequest {
  /** With a user's own key that user's; else of the project. */
  readonly ctx: RealmContext & { readonly turn: Disposable }
  /** Our id of the one user whose threads are meant; undefined: all of the project's. Empty: of one who has none. */
  readonly userId: string | undefined
  /** What the request names in the query or the header. */
  readonly resourceId: string | undefined
}

/** It makes no user: one that is unknown has no threads. */
export async function beginRequest(c: HttpContext, sender: GatewaySender): Promise<ThreadRequest> {
  const { ctx, user } = sender
  const resourceId = namedResource(c)
  const userId = resourceId === undefined ? user?.id : ((await knownResource(sender, resourceId)) ?? '')
  if (userId) c.set('userId', userId)
  const turn = await takeTurn(c, ctx, user?.id ?? (userId || ctx.service.keyId))
  const own = user === undefined ? { ...ctx, turn } : { ...asUser(ctx, user, turn), realm: ctx.realm }
  return { ctx: own, userId, resourceId }
}

/** The resource of the query or the header; with `inBody`, of the body too. Those that are given must be the same. */
export function namedResource(c: HttpContext, inBody?: string | null): string | undefined {
  const names = new Set([inBody ?? undefined, readQuery(c, ResourceQuery).resourceId, resourceHeader(c)])
  names.delete(undefined)
  if (names.size > 1)
    throw new GatewayError('invalid_request', 'resourceId and x-resource-id name different resources.')
  return [...names][0]
}

export interface NamedThread {
  readonly thread: ThreadRow
  /** Of the thread, as its application named it. */
  readonly resourceId: string
  /** The request, on behalf of the thread's user. */
  readonly ctx: ThreadContext
}

/** The thread that the path names. `not_found` also for one that is not the named resource's. */
export async function pathThread(c: HttpContext, { ctx, userId }: ThreadRequest): Promise<NamedThread> {
  const name = threadId.safeParse(c.req.param('thread_id') ?? '')
  if (!name.success || userId === '') throw unknownThread()
  const thread = await findThread(ctx, name.data, userId)
  c.set('userId', thread.userId)
  const resourceId = (await resourceNames(ctx, [thread])).get(thread.userId) ?? ''
  const user = { id: thread.userId, externalId: resourceId }
  return { thread, resourceId, ctx: { ...asUser(ctx, user, ctx.turn), realm: ctx.realm } }
}

/** Of a parameter that is sent several times the last counts. Unknown ones are ignored. */
export function readQuery<T extends z.ZodType>(c: HttpContext, schema: T): z.output<T> {
  const query = Object.entries(c.req.queries()).map(([name, values]) => [name, values.at(-1)])
  return parseInput(schema, Object.fromEntries(query))
}

const readText = jsonBody(MAX_BODY_BYTES, () => true)

/** The JSON body of a sender who is known, whatever its Content-Type says; none at all is an empty object. */
export async function readBody<T extends z.ZodType>(c: HttpContext, schema: T): Promise<z.output<T>> {
  let text = ''
  await readText(c, async () => {
    text = await c.req.text()
  })
  return parseInput(schema, text.trim() === '' ? {} : parseJson(text))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error quotes the body.
    throw new MalformedRequestError('The body is not valid JSON.')
  }
}
