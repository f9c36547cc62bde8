import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seed } from '../helpers/seed.ts'
import { testDatabaseUrl } from '../helpers/test-database.ts'
import { Game, type Step } from './two-users/game.ts'
import { coveredRoutes, operations } from './two-users/operations.ts'
import { enrol } from './two-users/operations-users.ts'
import { Player } from './two-users/player.ts'
import { verifyEnd } from './two-users/verify.ts'
import { World } from './two-users/world.ts'

/** Programs in all, and how many of them play at once on the same gateways. The embedded database takes three times as long. */
const PROGRAMS = Number(process.env.FAULTS_PROGRAMS ?? (testDatabaseUrl ? 150 : 60))
const AT_ONCE = Number(process.env.FAULTS_AT_ONCE ?? 6)
/** Of a failure's report: runs that program alone, with the seed that stands beside it; shrunk with FAULTS_SHRINK=1. */
const PATH = process.env.FAULTS_PATH
const MAX_STEPS = 40

let world: World
beforeAll(async () => {
  world = await World.open()
})
afterAll(async () => {
  await world?.close()
})

interface Model {
  readonly game: Game
}

class StepCommand implements fc.AsyncCommand<Model, World> {
  readonly step: Step

  constructor(step: Step) {
    this.step = step
  }

  check(): boolean {
    return true
  }

  async run({ game }: Model, { counts }: World): Promise<void> {
    counts.steps += 1
    const { players } = game
    await operations[this.step.operation]?.run(game, players[this.step.who % players.length] as Player, this.step)
  }

  toString(): string {
    const { operation, who, space, session, pick, variant } = this.step
    return `${operation} (who ${who}, space ${space}, session ${session}, pick ${pick}, variant ${variant})`
  }
}

const step = fc
  .record({
    operation: fc.oneof(
      ...Object.entries(operations).map(([name, { weight }]) => ({
        weight: Math.round(weight * 100),
        arbitrary: fc.constant(name),
      })),
    ),
    who: fc.nat(2),
    space: fc.nat(1),
    session: fc.nat(2),
    pick: fc.nat(999),
    variant: fc.nat(999),
  })
  .map((value) => new StepCommand(value))

const programs = fc.record({
  users: fc.constantFrom(2, 2, 2, 3),
  // More short programs than long ones: both find things.
  commands: fc.oneof(
    fc.commands([step], { maxCommands: MAX_STEPS / 2, size: 'max' }),
    fc.commands([step], { maxCommands: MAX_STEPS, size: 'max' }),
  ),
})

let hasFailed = false

async function play({ users, commands }: { users: number; commands: Iterable<fc.AsyncCommand<Model, World>> }) {
  // What fails in one of the runs ends the others.
  if (hasFailed && process.env.FAULTS_SHRINK !== '1') return
  const players = ['a', 'b', 'c'].slice(0, users).map((letter) => new Player(letter))
  const game = new Game(world, players)
  for (const player of players) {
    world.join(player)
    await enrol(game, player)
  }
  let projects = new Map<string, Player>()
  try {
    await fc.asyncModelRun(() => ({ model: { game }, real: world }), commands)
    projects = await verifyEnd(game)
    world.counts.programs += 1
  } catch (error) {
    hasFailed = true
    throw error
  } finally {
    world.leave(game.everyone(), projects)
  }
}

it('has an operation for every documented route, and for no other', () => {
  const document = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as { paths: Record<string, object> }
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect([...coveredRoutes()].toSorted()).toEqual(documented.toSorted())
})

it('shows no user a byte of another, whatever they do and the backend says', { timeout: 7_200_000 }, async () => {
  const started = performance.now()
  const workers = PATH === undefined ? AT_ONCE : 1
  const runs = await Promise.allSettled(
    Array.from({ length: workers }, (_, worker) =>
      fc.assert(fc.asyncProperty(programs, play), {
        numRuns: Math.ceil(PROGRAMS / workers),
        seed: seed + worker,
        endOnFailure: process.env.FAULTS_SHRINK !== '1',
        ...(PATH !== undefined && { path: PATH }),
      }),
    ),
  )
  const { counts } = world
  const seconds = Math.round((performance.now() - started) / 1000)
  const remains = await world.remains()
  const summary = { seed: seed, atOnce: workers, seconds, ...counts, droppedRows: await world.droppedRows() }
  console.log(`two users: ${JSON.stringify(summary)}`)
  const failures = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason as Error] : []))
  if (failures[0]) throw failures[0]
  expect(world.badLines).toEqual([])
  expect(remains).toEqual([])
  expect(world.canary.started).toHaveLength(0)
  expect(world.foreignLateRequests()).toEqual([])
  expect(summary.droppedRows).toBeGreaterThan(0)
  expect(counts.steps / counts.programs).toBeGreaterThanOrEqual(12)
  expect(counts.repeated / counts.programs).toBeGreaterThan(0.25)
  expect(counts.erased).toBeGreaterThan(0)
  // Else the programs would not have done what they say.
  expect(counts.slow / counts.requests).toBeLessThan(0.1)
})
