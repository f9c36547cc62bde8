import { globSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { createUser, TestUser, until } from '../helpers/client.ts'
import { type Deployment, deployments } from '../helpers/deployments.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { type GatewayProcess, launchGateway, spawnGateway } from '../helpers/process.ts'
import { checkJournal } from './check-journal.ts'
import { texts } from './check-storage.ts'
import { Journal, newFile } from './journal.ts'
import { type Inspector, inspect, newSite, type Site } from './site.ts'

const HOUR_MS = 3_600_000
/** Less than the clocks differ by. */
const GRACE_MS = HOUR_MS / 2
/** An add takes so long that others ask for its session meanwhile. */
const ADD_MS = 1_000

const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
const deployment = deployments.find(({ name }) => name === 'PostgreSQL and S3') as Deployment
const missing = deployment.missing ?? (library ? undefined : 'libfaketime (Debian: faketime) is not installed')

describe('a replica whose clock is wrong', () => {
  if (missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => expect.fail(missing))
    it.skip(`not run: ${missing}`, () => {})
    return
  }

  it.each(['+1h', '-1h'])(
    'by %s relays nothing twice, reaps nothing early, and keeps to the leases',
    async (offset) => {
      const site = await newSite(deployment)
      const everos = await startFakeEveros()
      const settings = {
        ...site.settings,
        MEMORY_BACKEND: 'everos',
        EVEROS_BASE_URL: everos.url,
        ORPHAN_GRACE_MS: String(GRACE_MS),
      }
      const wrong = { LD_PRELOAD: library ?? '', FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
      const started: GatewayProcess[] = []
      try {
        await abandonUpload(settings)
        const [right, off] = await Promise.all([spawnGateway(settings), spawnGateway({ ...settings, ...wrong })])
        started.push(right, off)
        const date = (await fetch(`${off.url}/health`)).headers.get('date')
        expect(Math.abs(Date.parse(date ?? '') - Date.now()), 'how far off its clock is').toBeGreaterThan(GRACE_MS)

        const user = await createUser(right.url)
        const journal = await uploadThroughBoth([right.url, off.url], user, everos)
        await using inspector = await inspect(settings, false)
        await untilRelayed(inspector)
        expect(timesSent(everos, journal)).toEqual([1])

        expect(await right.stop()).toBe(0)
        await expectNotReaped(inspector)
        await expectNotForgottenEarly(inspector, new TestUser(off.url, user.id, user.key), everos)
        expect(await off.stop()).toBe(0)

        expect(await checkJournal(journal, inspector.url)).toEqual({
          lost: [],
          different: [],
          half: [],
          unasked: [],
          returned: [],
        })
      } finally {
        await Promise.all(started.map((gateway) => gateway.stop('SIGKILL')))
        await everos.close()
        await site.drop()
      }
    },
  )
})

/** An upload under way looks the same to a sweeper as one whose process died while it stored the files. */
async function abandonUpload(settings: Site['settings']): Promise<void> {
  const gateway = await launchGateway({ ...settings, DIE_AT_STEP: 'object-put', DIE_AT_OCCURRENCE: '1' }, [
    '--import',
    './tests/faults/die-at-step.ts',
  ]).ready
  const user = await createUser(gateway.url)
  const { outcome } = await new Journal().addMessages(user, 'chat:under-way', [{ files: [newFile(300_000)] }])
  expect(outcome).toBe('unknown')
  await gateway.exited
}

/** All at once, into one session, and two resources. */
async function uploadThroughBoth(urls: readonly string[], { id, key }: TestUser, everos: FakeEveros): Promise<Journal> {
  const journal = new Journal()
  everos.delay('add', ADD_MS)
  await Promise.all(
    urls.flatMap((url) => {
      const user = new TestUser(url, id, key)
      const messages = Array.from({ length: 3 }, () =>
        journal.addMessages(user, 'chat:both', [{ files: [newFile(5_000)] }]),
      )
      return [...messages, journal.addResource(user, newFile(300_000))]
    }),
  )
  everos.delay('add', 0)
  expect(journal.count('acknowledged')).toBe(journal.uploads.length)
  return journal
}

async function untilRelayed(inspector: Inspector): Promise<void> {
  await until(
    () => texts(inspector, sql`select id as found from batches where state not in ('relayed', 'receiving')`),
    (open) => open.length === 0,
    60_000,
  )
}

/** How often the backend was given a message; every number that occurs. */
function timesSent(everos: FakeEveros, journal: Journal): number[] {
  const adds = everos.requests.filter(({ path }) => path.endsWith('/add')).map(({ body }) => JSON.stringify(body))
  const names = journal.uploads.flatMap((sent) =>
    sent.kind === 'resource' ? [sent.title] : sent.messages.map(({ text }) => text),
  )
  return [...new Set(names.map((name) => adds.filter((add) => add.includes(name)).length))]
}

/** The only gateway at work is the one whose clock is off. */
async function expectNotReaped(inspector: Inspector): Promise<void> {
  const done = () =>
    texts(inspector, sql`select id::text as found from pgboss.job where name = 'sweep-orphans' and state = 'completed'`)
  const before = await done()
  await inspector.sweep()
  await until(done, (after) => after.some((id) => !before.includes(id)), 60_000)
  expect(await texts(inspector, sql`select state as found from batches where state = 'receiving'`)).toEqual([
    'receiving',
  ])
}

/** A deletion is not over while an add whose answer was lost may still arrive. */
async function expectNotForgottenEarly(inspector: Inspector, user: TestUser, everos: FakeEveros): Promise<void> {
  everos.failNext('add', 'lost')
  expect((await user.addMessage('chat:unsettled', 'to be forgotten')).status).toBe(202)
  expect((await user.delete('/sessions/chat:unsettled')).status).toBe(204)
  await until(
    () => texts(inspector, sql`select state as found from pgboss.job where name = 'erase'`),
    (states) => states.some((state) => state === 'retry' || state === 'completed'),
    60_000,
  )
  expect(
    await texts(inspector, sql`select id as found from sessions where deleted_at is not null and erasure_id is null`),
  ).toEqual([])
}
