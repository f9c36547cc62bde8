import { type LaunchedGateway, launchGateway } from '../helpers/process.ts'
import type { Site } from './site.ts'

/** One of several gateways on the same storage; it may be killed, also while it starts, and started again. */
export class Replica {
  readonly #settings: Site['settings']
  #process: LaunchedGateway | undefined
  /** Undefined while it is down or starting. */
  url: string | undefined
  /** How it ended when nobody stopped it. */
  readonly deaths: string[] = []

  constructor(settings: Site['settings']) {
    this.#settings = settings
  }

  /** Resolves when it is ready, or was stopped before that. */
  async start(): Promise<void> {
    const launched = launchGateway(this.#settings)
    this.#process = launched
    const ended = launched.exited.then((how) => {
      if (this.#process !== launched) return
      this.url = undefined
      this.deaths.push([how, ...launched.log.slice(-20)].join('\n'))
    })
    const ready = launched.ready.then(
      ({ url }) => {
        if (this.#process === launched) this.url = url
      },
      () => {},
    )
    await Promise.race([ready, ended])
  }

  async stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | undefined> {
    const stopped = this.#process
    this.#process = undefined
    this.url = undefined
    return stopped?.stop(signal)
  }
}
