import { setTimeout as pause } from 'node:timers/promises'
import { TestUser } from '../helpers/client.ts'
import { type Account, type Journal, type NewFile, newFile, randomSize } from './journal.ts'
import type { Decisions } from './random.ts'

/**
 * One client that sends one request after the other, each through any of the gateways that `urls` says are up. Several clients of a
 * user write into the user's shared session; each has sessions of its own too, and deletes some.
 */
export class Client {
  readonly #journal: Journal
  readonly #account: Account
  readonly #decisions: Decisions
  readonly #urls: () => readonly string[]
  readonly #name: string
  readonly #resources: string[] = []
  #own = 0
  #isOwnUsed = false

  constructor(options: {
    journal: Journal
    account: Account
    name: string
    decisions: Decisions
    urls: () => readonly string[]
  }) {
    this.#journal = options.journal
    this.#account = options.account
    this.#name = options.name
    this.#decisions = options.decisions
    this.#urls = options.urls
  }

  async sendUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const urls = this.#urls()
      if (urls.length === 0) await pause(20)
      else await this.#send(new TestUser(this.#decisions.pick(urls), this.#account.id, this.#account.key))
      await pause(this.#decisions.integer(0, 30))
    }
  }

  async #send(user: TestUser): Promise<void> {
    const kind = this.#decisions.next()
    if (kind < 0.4) await this.#journal.addMessages(user, this.#sharedSession, this.#newMessages())
    else if (kind < 0.7) await this.#addToOwn(user)
    else if (kind < 0.85) await this.#addResource(user)
    else if (kind < 0.92) await this.#flushOwn(user)
    else if (kind < 0.96) await this.#deleteOwn(user)
    else await this.#deleteResource(user)
  }

  get #sharedSession(): string {
    return `chat:shared-${this.#account.id}`
  }

  get #ownSession(): string {
    return `chat:${this.#name}-${this.#own}`
  }

  #newMessages(): { files: NewFile[] }[] {
    let files = this.#decisions.integer(1, 3)
    const count = this.#decisions.chance(0.3) ? 2 : 1
    return Array.from({ length: count }, (_, index) => {
      const here = index === count - 1 ? files : this.#decisions.integer(0, files)
      files -= here
      return { files: Array.from({ length: here }, () => newFile(randomSize(this.#decisions))) }
    })
  }

  async #addToOwn(user: TestUser): Promise<void> {
    const { outcome } = await this.#journal.addMessages(user, this.#ownSession, this.#newMessages())
    if (outcome === 'acknowledged') this.#isOwnUsed = true
  }

  async #addResource(user: TestUser): Promise<void> {
    const { resourceId } = await this.#journal.addResource(user, newFile(randomSize(this.#decisions)))
    if (resourceId) this.#resources.push(resourceId)
  }

  async #flushOwn(user: TestUser): Promise<void> {
    if (this.#isOwnUsed) await this.#journal.flush(user, this.#ownSession)
  }

  /** Its name is not used again, so that what is seen of it later has come back. */
  async #deleteOwn(user: TestUser): Promise<void> {
    if (!this.#isOwnUsed) return
    await this.#journal.deleteSession(user, this.#ownSession)
    this.#own++
    this.#isOwnUsed = false
  }

  async #deleteResource(user: TestUser): Promise<void> {
    const id = this.#resources.shift()
    if (id) await this.#journal.deleteResource(user, id)
  }
}
