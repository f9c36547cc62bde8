import type { EverosFault } from '../../helpers/fake-everos.ts'
import type { Game, Step } from './game.ts'
import { repeatLater } from './once.ts'
import { accountOperations } from './operations-accounts.ts'
import { backlogOperations } from './operations-backlog.ts'
import { erasureOperations } from './operations-erasures.ts'
import { memoryOperations } from './operations-memories.ts'
import { resourceOperations } from './operations-resources.ts'
import { sessionOperations } from './operations-sessions.ts'
import { userOperations } from './operations-users.ts'
import type { Player } from './player.ts'

export interface Operation {
  /** How often it is chosen, beside the others. */
  readonly weight: number
  readonly run: (game: Game, me: Player, step: Step) => Promise<void>
}

const plans: readonly (readonly (EverosFault | undefined)[])[] = [
  [{ status: 500, code: 'INTERNAL_ERROR' }],
  ['lost'],
  ['reset', undefined],
  [{ status: 503, code: 'SESSION_BUSY' }, undefined],
  [{ status: 503, code: 'CAPABILITY_UNAVAILABLE' }],
  [undefined, { status: 422, code: 'INVALID_INPUT' }],
  [{ status: 415, code: 'UNSUPPORTED_FORMAT' }],
  ['html', 'lost'],
  ['redirect'],
  ['gzip', undefined],
  ['nothing', 'lost'],
  [{ status: 429, code: 'QUEUE_SATURATED' }, 'lost', undefined],
  ['hold', undefined],
  ['stall', 'lost'],
  ['endless'],
  ['drip', undefined],
]

const surroundings: Readonly<Record<string, Operation>> = {
  'the backend of a user fails': {
    weight: 7,
    run: (game, me, { variant }) => {
      game.setFaults(me, plans[variant % plans.length] ?? [])
      return Promise.resolve()
    },
  },
  'the backend of a user heals': {
    weight: 5,
    run: (game, me) => {
      game.setFaults(me, [])
      return Promise.resolve()
    },
  },
  'time passes for a user': { weight: 3, run: async ({ world }, me) => void (await world.settle([me], 2)) },
  'a write is repeated later': { weight: 4, run: repeatLater },
  'a replica is restarted': { weight: 0.1, run: ({ world }, _me, { pick }) => world.restart(pick) },
}

/**
 * What a program is made of. A key begins with the route it is about, or names no route; a route may have several. A new route gets an entry
 * in the file of its noun.
 */
export const operations: Readonly<Record<string, Operation>> = {
  ...surroundings,
  ...memoryOperations,
  ...resourceOperations,
  ...sessionOperations,
  ...userOperations,
  ...backlogOperations,
  ...erasureOperations,
  ...accountOperations,
}

/** The routes that the operations cover. */
export function coveredRoutes(): Set<string> {
  return new Set(
    Object.keys(operations).flatMap((name) => /^(?:GET|POST|PUT|PATCH|DELETE) \/\S*/.exec(name)?.[0] ?? []),
  )
}
