import { randomUUID } from 'node:crypto'
import { type AlsoStore, type Context, nothingElse, type ServiceContext, type SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import type { AnswerSubject } from './answer-subject.ts'
import { claimKey, completeClaim, ERASED, extendClaim, findKey, releaseClaim, storeAnswer } from './queries.ts'
import { type Answer, fingerprint, openAnswer, sealAnswer } from './sealed-answer.ts'

const LEASE_MS = 15_000
const HEARTBEAT_MS = 5_000

/**
 * One request's hold of an `Idempotency-Key`: of equal requests one has the effect, and the others get its answer. The answer is
 * stored in the effect's own transaction, so that after a crash there are both or neither; a request that fails without an effect
 * leaves the key free. Without a key all of it does nothing.
 */
export class Claim {
  readonly #key: string | undefined
  readonly #token = randomUUID()
  #held: { ctx: SystemContext; id: string; heartbeat: NodeJS.Timeout } | undefined

  constructor(key: string | undefined) {
    this.#key = key
  }

  /**
   * Takes the key. `request` is all that makes two requests the same, without credentials. Returns the answer if there is one;
   * `conflict` while an equal request is running, `invalid_request` if the key came with another request before.
   */
  async begin(
    ctx: SystemContext | Context | ServiceContext,
    route: string,
    request: unknown,
  ): Promise<Answer | undefined> {
    if (this.#key === undefined) return undefined
    const userId = 'caller' in ctx ? ctx.caller.userId : null
    const id = fingerprint([ownerOf(ctx), route, this.#key])
    // With the key in it, nobody without the key can try out what was asked.
    const wanted = { id, userId, fingerprint: fingerprint([this.#key, request]), token: this.#token }
    const { db } = ctx.services
    if (await claimKey(db, wanted, LEASE_MS)) {
      this.#held = { ctx, id, heartbeat: this.#keepAlive(ctx, id) }
      return undefined
    }
    const found = await findKey(db, id)
    if (found && found.fingerprint !== wanted.fingerprint) {
      throw new GatewayError('invalid_request', 'Idempotency-Key: it came with another request before. Use a new one.')
    }
    if (!found?.answer || found.isRunning) {
      throw new GatewayError(
        'conflict',
        'A request with this Idempotency-Key is being worked on. Ask again for its answer.',
        {
          retryAfter: 1,
        },
      )
    }
    if (found.answer === ERASED) throw new GatewayError('not_found', 'What this request stored was deleted since.')
    return openAnswer(this.#key, id, found.answer)
  }

  /** What to store in the transaction of the effect: the answer as far as it is known by then. */
  keep<T>(render: (result: T) => Answer, subject: (result: T) => AnswerSubject = () => ({})): AlsoStore<T> {
    const key = this.#key
    if (key === undefined) return nothingElse
    return async (tx, result) => {
      const held = this.#held
      if (!held) throw new Error('An answer is kept before its key was claimed.')
      const answer = sealAnswer(key, held.id, render(result))
      if (!(await storeAnswer(tx, held.id, this.#token, { answer, ...subject(result) }))) {
        throw new GatewayError(
          'conflict',
          'Another request with this Idempotency-Key took over. Ask again for its answer.',
          {
            retryAfter: 1,
          },
        )
      }
    }
  }

  /** The request is answered. If that cannot be written down, what was kept with the effect is what a repetition gets. */
  async complete(answer: Answer): Promise<void> {
    await this.#end((held, key) =>
      completeClaim(held.ctx.services.db, held.id, this.#token, sealAnswer(key, held.id, answer)),
    )
  }

  /** The request failed. Where it has an effect all the same, the answer kept with that stays. */
  async release(): Promise<void> {
    await this.#end((held) => releaseClaim(held.ctx.services.db, held.id, this.#token))
  }

  async #end(write: (held: { ctx: SystemContext; id: string }, key: string) => Promise<void>): Promise<void> {
    const held = this.#held
    if (!held || this.#key === undefined) return
    clearInterval(held.heartbeat)
    this.#held = undefined
    try {
      await write(held, this.#key)
    } catch (error) {
      held.ctx.log.warn({ err: error }, 'Idempotency-Key not given back, its lease will run out')
    }
  }

  #keepAlive(ctx: SystemContext, id: string): NodeJS.Timeout {
    return setInterval(() => {
      extendClaim(ctx.services.db, id, this.#token, LEASE_MS).catch((error: unknown) => {
        ctx.log.warn({ err: error }, 'lease of an Idempotency-Key not extended')
      })
    }, HEARTBEAT_MS).unref()
  }
}

/** Two owners may use the same key. */
function ownerOf(ctx: SystemContext | Context | ServiceContext): string {
  if ('caller' in ctx) return ctx.caller.userId
  if (!('service' in ctx)) return 'operator'
  const { accountId, projectId, isProjectLocked } = ctx.service
  // A key that works in one project may not be given what one of the whole account was.
  return `${accountId}/${projectId}${isProjectLocked ? '' : '/*'}`
}
