import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Step, steps } from '../../src/observability/steps.ts'
import { createUser, TestUser } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments } from '../helpers/deployments.ts'
import { type GatewayProcess, type LaunchedGateway, launchGateway } from '../helpers/process.ts'
import { seed } from '../helpers/seed.ts'
import { ChatJournal, type PacedProvider, startPacedProvider } from './chat-journal.ts'
import { checkChats } from './check-chats.ts'
import { checkJournal } from './check-journal.ts'
import { checkStorage } from './check-storage.ts'
import { Journal, newFile } from './journal.ts'
import { Decisions } from './random.ts'
import { inspect, newSite, type Site } from './site.ts'

/** Unset: each step once, on one of the deployments. */
const RUNS = Number(process.env.FAULTS_STEP_RUNS ?? 0)
const REACHED_MS = 60_000
const SETTLE_MS = 400_000

const tried = ['embedded defaults', 'PostgreSQL and S3'].map(
  (wanted) => deployments.find(({ name }) => name === wanted) as Deployment,
)

let provider: PacedProvider
beforeAll(async () => {
  provider = await startPacedProvider()
})
afterAll(() => provider.close())

/** What the clients know. */
interface Journals {
  readonly uploads: Journal
  readonly chats: ChatJournal
}

/** The short form leaves it to the seed which half of the steps this deployment gets. */
function runsOf(deployment: Deployment): { step: Step; run: number }[] {
  const present = tried.filter(({ missing }) => !missing)
  if (RUNS > 0) return steps.flatMap((step) => Array.from({ length: RUNS }, (_, index) => ({ step, run: index + 1 })))
  return steps
    .filter((_, index) => present[(seed + index) % present.length] === deployment)
    .map((step) => ({ step, run: 1 }))
}

describe.concurrent.each(tried)('SIGKILL at each step on $name', (deployment) => {
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }

  it.each(runsOf(deployment))('at $step, run $run', async ({ step, run }) => {
    const decisions = new Decisions(`${step} ${run}`)
    const site = await newSite(deployment)
    try {
      const journals = { uploads: new Journal(), chats: new ChatJournal(provider) }
      const { uploads, chats } = journals
      const occurrence = await killAt(step, site.settings, journals, decisions)
      await using inspector = await inspect({ ...site.settings, ORPHAN_GRACE_MS: '1' })
      const { settledAfterMs, ...storage } = await checkStorage(inspector, site.settings, SETTLE_MS)
      const inThreads = await checkChats(chats, inspector.url)
      const findings = { ...(await checkJournal(uploads, inspector.url)), ...storage }
      console.log(
        `${deployment.name}, ${step}, occurrence ${occurrence}: ${uploads.uploads.length} uploads, ${uploads.count('acknowledged')} acknowledged, ${chats.chats.length} chats, ${chats.count('finished')} finished, settled after ${settledAfterMs} ms, seed ${seed}`,
      )
      for (const [what, list] of Object.entries(findings)) expect(list, what).toEqual([])
      for (const [what, list] of Object.entries(inThreads)) expect(list, `${what} in threads`).toEqual([])
      expect([uploads.refusals, chats.refusals]).toEqual([{}, {}])
    } finally {
      await site.drop()
    }
  })
})

/** Has a gateway die as it reaches the step; returns at which occurrence. */
async function killAt(
  step: Step,
  settings: Site['settings'],
  journals: Journals,
  decisions: Decisions,
): Promise<number> {
  if (step === 'upload-discarded' || (step === 'object-deleted' && decisions.chance(0.5))) {
    await abandonUpload(settings, journals.uploads)
    // The sweeper takes an upload back in its first sweep, and deletes its objects in the next.
    await expectDeath(launchToDie(step, 1, { ...settings, ORPHAN_GRACE_MS: '1' }), step)
    return 1
  }
  const occurrence = decisions.integer(1, 3)
  // The first answer is the new user's key.
  const gateway = await launchToDie(step, step === 'answering' ? occurrence + 1 : occurrence, settings).ready
  const user = await createUser(gateway.url)
  let isDead = false
  void gateway.exited.then(() => (isDead = true))
  const driven = (async () => {
    for (let round = 1; !isDead; round++) await useEverything(user, journals, round, decisions)
  })()
  await expectDeath(gateway, step)
  await driven
  return occurrence
}

async function useEverything(
  user: TestUser,
  { uploads: journal, chats }: Journals,
  round: number,
  decisions: Decisions,
): Promise<void> {
  const large = () => newFile(decisions.integer(262_145, 700_000))
  const small = () => newFile(decisions.integer(100, 8_000))
  await journal.addMessages(user, 'chat:kept', [{ files: [small(), large()] }, { files: [small()] }])
  const { resourceId } = await journal.addResource(user, large())
  await journal.flush(user, 'chat:kept')
  await chats.send(user.base, { user, thread: 'kept', client: 'one' }, decisions)
  const { outcome } = await journal.addMessages(user, `chat:deleted-${round}`, [{ files: [large(), small()] }])
  if (outcome === 'acknowledged') await journal.deleteSession(user, `chat:deleted-${round}`)
  if (resourceId && round > 1) await journal.deleteResource(user, resourceId)
  const passing = await createUser(user.base).catch(() => undefined)
  if (!passing) return
  await journal.addMessages(passing, 'chat:erased', [{ files: [small(), large()] }])
  await journal.addResource(passing, small())
  await journal.eraseUser(passing)
}

/** Leaves an upload of which one of two files is stored, and a sweep to be done at the next start. */
async function abandonUpload(settings: Site['settings'], journal: Journal): Promise<void> {
  const gateway = await launchToDie('object-put', 1, settings).ready
  const user = await createUser(gateway.url)
  await journal.addMessages(user, 'chat:abandoned', [{ files: [newFile(300_000), newFile(300_000)] }])
  await expectDeath(gateway, 'object-put')
  await using inspector = await inspect(settings, false)
  await inspector.sweep()
}

function launchToDie(step: Step, occurrence: number, settings: Site['settings']): LaunchedGateway {
  const MODEL_PROVIDERS = JSON.stringify({ local: { base_url: provider.url } })
  return launchGateway({ ...settings, MODEL_PROVIDERS, DIE_AT_STEP: step, DIE_AT_OCCURRENCE: String(occurrence) }, [
    '--import',
    './tests/faults/die-at-step.ts',
  ])
}

async function expectDeath(gateway: Omit<GatewayProcess, 'url'>, step: Step): Promise<void> {
  const timer = setTimeout(() => void gateway.stop('SIGKILL'), REACHED_MS)
  await gateway.exited
  clearTimeout(timer)
  expect(gateway.log.at(-1), 'the last word of the process').toBe(JSON.stringify({ msg: 'dying', step }))
}
