import type { TypedResponse } from 'hono'
import { routePath } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { AlsoStore, Context, ServiceContext, SystemContext } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import type { AnswerSubject } from '../domain/idempotency/answer-subject.ts'
import { Claim } from '../domain/idempotency/claim.ts'
import type { Answer } from '../domain/idempotency/sealed-answer.ts'
import type { HttpContext } from './context.ts'

const KEY = /^[\x21-\x7e]{1,255}$/
const CREDENTIALS = new Set(['user_id', 'user_key'])

interface RouteAnswer<S extends number = number, B = unknown> extends Answer {
  readonly status: S
  readonly body: B
}

export function answer<S extends ContentfulStatusCode, B>(status: S, body: B): RouteAnswer<S, B> {
  return { status, body }
}

/** 204, with where the receipt of the deletion is. */
export function deleted(erasureId?: string): RouteAnswer<204, null> {
  return {
    status: 204,
    body: null,
    ...(erasureId !== undefined && { headers: { Location: `/erasures/${erasureId}` } }),
  }
}

type Sent<A> =
  A extends RouteAnswer<204, null>
    ? Response & TypedResponse<null, 204, 'body'>
    : A extends RouteAnswer<infer S extends ContentfulStatusCode, infer B>
      ? Response & TypedResponse<B, S, 'json'>
      : never

/**
 * Answers a write. With an `Idempotency-Key` it is done once: a repetition gets the first answer. `work` calls `claim.begin` as soon
 * as it knows who asks for what, before it has any effect, and hands `claim.keep` to the verb.
 */
export async function answerOnce<A extends RouteAnswer>(
  c: HttpContext,
  work: (claim: RouteClaim) => Promise<A>,
): Promise<Sent<A>> {
  const claim = new RouteClaim(c)
  try {
    const given = await work(claim)
    await claim.complete(given)
    return send<A>(c, given)
  } catch (error) {
    if (error instanceof Repetition) {
      c.env.outgoing.setHeader('Idempotent-Replayed', 'true')
      return send<A>(c, error.answer)
    }
    await claim.release()
    throw error
  }
}

function send<A>(c: HttpContext, { status, body, headers = {} }: Answer): Sent<A> {
  const response =
    status === 204 ? c.body(null, status, headers) : c.json(body as object, status as ContentfulStatusCode, headers)
  // A stored answer is one that this route gave.
  return response as unknown as Sent<A>
}

/** Ends `work` where the request was answered before. */
class Repetition extends Error {
  readonly answer: Answer
  constructor(stored: Answer) {
    super('answered before')
    this.answer = stored
  }
}

/** The hold that one request of a route has of its `Idempotency-Key`, if it came with one. */
export class RouteClaim {
  readonly #c: HttpContext
  readonly #claim: Claim

  constructor(c: HttpContext) {
    const key = c.req.header('idempotency-key')
    if (key !== undefined && !KEY.test(key)) {
      throw new GatewayError('invalid_request', 'Idempotency-Key: must be 1 to 255 printable ASCII characters.')
    }
    this.#c = c
    this.#claim = new Claim(key)
  }

  /** `content`: what the body asks for, without credentials, with files as their hashes. Does not return for a repetition. */
  async begin(ctx: SystemContext | Context | ServiceContext, content?: unknown): Promise<void> {
    const { req } = this.#c
    const query = Object.entries(req.queries()).filter(([name]) => !CREDENTIALS.has(name))
    const stored = await this.#claim.begin(ctx, `${req.method} ${routePath(this.#c)}`, {
      path: req.path,
      query: Object.fromEntries(query),
      content: content ?? null,
    })
    if (stored) throw new Repetition(stored)
  }

  keep<T>(render: (result: T) => Answer, subject?: (result: T) => AnswerSubject): AlsoStore<T> {
    return this.#claim.keep(render, subject)
  }

  complete(given: Answer): Promise<void> {
    return this.#claim.complete(given)
  }

  release(): Promise<void> {
    return this.#claim.release()
  }
}
