import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createUser, TestUser, until } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments } from '../helpers/deployments.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { isLong, seed } from '../helpers/seed.ts'
import { checkJournal } from './check-journal.ts'
import { checkStorage } from './check-storage.ts'
import { type Account, Journal, newFile } from './journal.ts'
import { Decisions } from './random.ts'
import { inspect, newSite, type Site } from './site.ts'
import { SlowUser } from './slow-user.ts'

const UPLOADS = isLong ? 50 : 20
const USERS = 10
const EXIT_MS = 30_000
/** Some need longer than a gateway that stops gives them. */
const SLOWEST_MS = 28_000
const SETTLE_MS = 400_000
const MANY = { MAX_UPLOADS: '64', MAX_UPLOADS_PER_USER: '8' }

/** A promise, and what fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

async function untilUnderWay(url: string, uploads: number): Promise<void> {
  await until(
    async () => Number(/gateway_uploads_in_flight (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1]),
    (count) => count >= uploads,
    30_000,
  )
}

/** The system makes one of two signals that follow each other too soon. */
async function stopTwice(gateway: GatewayProcess): Promise<number | NodeJS.Signals> {
  const exited = gateway.stop('SIGTERM')
  await until(
    async () => gateway.log,
    (log) => log.some((line) => line.includes('stopping')),
    EXIT_MS,
  )
  await gateway.stop('SIGTERM')
  return exited
}

type Start = (settings: Site['settings']) => Promise<GatewayProcess>

/** Whatever the test comes to, what it started ends with it. */
async function withSite(
  deployment: Deployment,
  test: (settings: Site['settings'], start: Start) => Promise<void>,
): Promise<void> {
  const site = await newSite(deployment)
  const started: GatewayProcess[] = []
  try {
    await test(site.settings, async (settings) => {
      const gateway = await spawnGateway(settings)
      started.push(gateway)
      return gateway
    })
  } finally {
    await Promise.all(started.map((gateway) => gateway.stop('SIGKILL')))
    await site.drop()
  }
}

const tried = ['embedded defaults', 'PostgreSQL and S3'].map(
  (wanted) => deployments.find(({ name }) => name === wanted) as Deployment,
)

describe.concurrent.each(tried)('SIGTERM on $name', (deployment) => {
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }

  it(`loses nothing acknowledged with ${UPLOADS} uploads under way, and ends in time`, () =>
    withSite(deployment, async (settings, start) => {
      const gateway = await start({ ...settings, ...MANY })
      const accounts: Account[] = []
      for (let index = 0; index < USERS; index++) accounts.push(await createUser(gateway.url))
      const journal = new Journal()
      const decisions = new Decisions(`shutdown ${deployment.name}`)
      const rest = gate()
      const clients = Array.from({ length: UPLOADS }, (_, index) => {
        const account = accounts[index % USERS] as Account
        return new SlowUser(gateway.url, account, rest.opened, decisions.integer(0, SLOWEST_MS))
      })
      const uploads = clients.map((client) => {
        const file = newFile(decisions.integer(100_000, 600_000))
        return journal.addMessages(client, `chat:${client.id}`, [{ files: [file] }])
      })
      await untilUnderWay(gateway.url, UPLOADS)
      const began = Date.now()
      const exited = gateway.stop('SIGTERM')
      rest.open()
      expect(await exited).toBe(0)
      const exitMs = Date.now() - began
      await Promise.all(uploads)
      expect(exitMs).toBeLessThanOrEqual(EXIT_MS)
      const endings = clients.map(({ ended }) => ended)
      expect(endings.filter((ended) => !['answered', 'ECONNRESET', 'EPIPE'].includes(ended ?? ''))).toEqual([])

      await using inspector = await inspect({ ...settings, ORPHAN_GRACE_MS: '1' })
      const { settledAfterMs, ...storage } = await checkStorage(inspector, settings, SETTLE_MS)
      const findings = { ...(await checkJournal(journal, inspector.url)), ...storage }
      console.log(
        `${deployment.name}: SIGTERM with ${UPLOADS} uploads under way: ${journal.count('acknowledged')} acknowledged, ${journal.count('refused')} refused, ${journal.count('unknown')} cut off, exit after ${exitMs} ms, settled ${settledAfterMs} ms later, ${JSON.stringify(findings)}, seed ${seed}`,
      )
      for (const [what, list] of Object.entries(findings)) expect(list, what).toEqual([])
    }))

  it('ends at once at the second signal, and loses nothing acknowledged', () =>
    withSite(deployment, async (settings, start) => {
      const gateway = await start(settings)
      const user = await createUser(gateway.url)
      const journal = new Journal()
      await journal.addMessages(user, 'chat:kept', [{ files: [newFile(300_000)] }])
      const never = gate()
      const slow = journal.addMessages(new SlowUser(gateway.url, user, never.opened, 0), 'chat:cut', [
        { files: [newFile(300_000)] },
      ])
      await untilUnderWay(gateway.url, 1)
      // After one signal it would wait for the upload, and end with 0.
      expect(await stopTwice(gateway)).toBe(1)
      never.open()
      expect((await slow).outcome).toBe('unknown')

      await using inspector = await inspect({ ...settings, ORPHAN_GRACE_MS: '1' })
      const { settledAfterMs: _, ...storage } = await checkStorage(inspector, settings, SETTLE_MS)
      const findings = { ...(await checkJournal(journal, inspector.url)), ...storage }
      for (const [what, list] of Object.entries(findings)) expect(list, what).toEqual([])
    }))

  it('closes a connection once it has no request, and lets the others go on', () =>
    withSite(deployment, async (settings, start) => {
      const gateway = await start(settings)
      const user = await createUser(gateway.url)
      const journal = new Journal()
      const [first, second] = [gate(), gate()]
      const [quick, slow] = [first, second].map(({ opened }) => new SlowUser(gateway.url, user, opened, 0)) as [
        SlowUser,
        SlowUser,
      ]
      const quickly = journal.addMessages(quick, 'chat:quick', [{ files: [newFile(300_000)] }])
      const slowly = journal.addMessages(slow, 'chat:slow', [{ files: [newFile(300_000)] }])
      await untilUnderWay(gateway.url, 2)
      const exited = gateway.stop('SIGTERM')
      first.open()
      expect((await quickly).outcome).toBe('acknowledged')
      if (quick.socket && !quick.socket.closed) await once(quick.socket, 'close')
      second.open()
      expect((await slowly).outcome).toBe('acknowledged')
      expect(await exited).toBe(0)
    }))
})

const onServices = tried.find(({ name }) => name === 'PostgreSQL and S3')

describe.runIf(onServices && !onServices.missing)('SIGTERM while the backend hangs', { concurrent: true }, () => {
  it.each([
    { signals: 1, code: 0 },
    { signals: 2, code: 1 },
  ])('after $signals signals another replica takes over the session', ({ signals, code }) =>
    withSite(onServices as Deployment, async (settings, start) => {
      const everos = await startFakeEveros()
      const withBackend = {
        ...settings,
        MEMORY_BACKEND: 'everos',
        EVEROS_BASE_URL: everos.url,
        RELAY_WAIT_MS: '1000',
      }
      const [one, other] = await Promise.all([start(withBackend), start(withBackend)])
      const user = await createUser(one.url)
      await user.addMessage('chat:held', 'the otter is called Ottilie')
      await untilState(user, 'accumulated')
      everos.failNext('flush', 'stall')
      expect((await user.post('/memories/flush', { session_id: 'chat:held' })).status).toBe(202)
      await until(
        async () => everos.requests,
        (requests) => requests.some(({ path }) => path.endsWith('/flush')),
      )
      const began = Date.now()
      expect(await (signals === 1 ? one.stop('SIGTERM') : stopTwice(one))).toBe(code)
      expect(Date.now() - began).toBeLessThanOrEqual(EXIT_MS)
      await untilState(new TestUser(other.url, user.id, user.key), 'extracted')
      expect(await other.stop('SIGTERM')).toBe(0)
      await everos.close()
    }),
  )
})

async function untilState(user: TestUser, state: string): Promise<void> {
  await until(
    () => user.get('/sessions/chat:held/messages'),
    ({ body }) => body.messages[0].state === state,
    60_000,
  )
}
