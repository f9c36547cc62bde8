import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import postgresClient from 'postgres'
import { expect, it } from 'vitest'
import { createUser, TestUser, until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { postgresPrograms, startOwnPostgres } from '../helpers/own-postgres.ts'
import { isLong, seed } from '../helpers/seed.ts'
import { Decisions } from './random.ts'
import { Replica } from './replicas.ts'

const FALLS = Number(process.env.FAULTS_FALLS ?? (isLong ? 40 : 4))
/** Between two falls so many messages are acknowledged. */
const EACH = 25
const CLIENTS = 6
const REPLICAS = 2
const SETTLE_MS = 120_000
const programs = postgresPrograms()

/** Also what need not wait for the disk stays where it is lost. */
const LAZY = ['wal_writer_delay=10s', 'wal_writer_flush_after=0']

type Outcome = 'acknowledged' | 'unknown'

it.runIf(process.env.REQUIRE_SERVICES === '1')('needs the programs of a PostgreSQL', () => {
  expect(programs).toBeDefined()
})

it.skipIf(!programs)(
  `a PostgreSQL that falls ${FALLS} times: nothing acknowledged is lost, and nothing is sent twice`,
  { timeout: 120_000 + SETTLE_MS + FALLS * 30_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gateway-falls-'))
    const postgres = await startOwnPostgres(programs ?? '', LAZY)
    const fake = await startFakeEveros()
    const settings = {
      DATABASE_URL: postgres.url,
      MEMORY_BACKEND: 'everos',
      EVEROS_BASE_URL: fake.url,
      RELAY_WAIT_MS: '2000',
    }
    const replicas = Array.from(
      { length: REPLICAS },
      (_, at) => new Replica({ ...settings, STORAGE_DIR: join(dir, `${at}`) }),
    )
    try {
      await Promise.all(replicas.map((replica) => replica.start()))
      const urls = replicas.map(({ url }) => url ?? '')
      const user = await createUser(urls[0] ?? '')
      const sent = new Map<string, Outcome>()
      const count = () => [...sent.values()].filter((outcome) => outcome === 'acknowledged').length
      let isOver = false
      const clients = Array.from({ length: CLIENTS }, (_, at) => {
        const decisions = new Decisions(`client-${at}`)
        return send(user, urls, `falls ${at}`, decisions, sent, () => isOver)
      })
      for (let fall = 1; fall <= FALLS; fall++) {
        await until(
          async () => count(),
          (acknowledged) => acknowledged >= fall * EACH,
          60_000,
        )
        await postgres.fall()
      }
      isOver = true
      await Promise.all(clients)
      const acknowledged = [...sent].flatMap(([text, outcome]) => (outcome === 'acknowledged' ? [text] : []))
      const kept = await texts(user, urls[0] ?? '')
      expect(acknowledged.filter((text) => kept.get(text) !== 1)).toEqual([])
      const began = Date.now()
      await using database = await connect(postgres.url)
      await until(
        async () => {
          await database.passMinutes()
          return acknowledged.filter((text) => !received(fake).has(text))
        },
        (missing) => missing.length === 0,
        SETTLE_MS,
        1_000,
      )
      console.log(
        `${FALLS} falls; ${sent.size} messages sent, ${acknowledged.length} acknowledged; settled after ${Math.round((Date.now() - began) / 1000)} s; seed ${seed}`,
      )
      expect([...received(fake)].filter(([, times]) => times > 1)).toEqual([])
      for (const { deaths } of replicas) expect(deaths, 'ended by themselves').toEqual([])
    } finally {
      await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')))
      await fake.close()
      await postgres.close()
      rmSync(dir, { recursive: true, force: true })
    }
  },
)

async function connect(url: string) {
  const sql = postgresClient(url, { max: 1, onnotice: () => {} })
  return {
    /** Those for which an answer that was lost is left alone, and those between two attempts. */
    async passMinutes(): Promise<void> {
      await sql`update batches set settles_at = settles_at - interval '10 minutes', updated_at = updated_at - interval '10 minutes'
        where state in ('relaying', 'unknown')`
      await sql`update pgboss.job set start_after = now() where state in ('created', 'retry') and name = 'relay-session'`
    },
    [Symbol.asyncDispose]: () => sql.end(),
  }
}

/** One message after the other, by any of the gateways. */
async function send(
  user: TestUser,
  urls: readonly string[],
  name: string,
  decisions: Decisions,
  sent: Map<string, Outcome>,
  isOver: () => boolean,
): Promise<void> {
  for (let number = 0; !isOver(); number++) {
    const text = `${name}, ${number}.`
    sent.set(text, 'unknown')
    const through = new TestUser(decisions.pick(urls), user.id, user.key)
    const session = `chat:${name.replace(' ', '-')}-${decisions.integer(0, 3)}`
    const status = await through.addMessage(session, text).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 200 || status === 202) sent.set(text, 'acknowledged')
    else await pause(50)
  }
}

/** How often the backend was given each message. */
function received(fake: FakeEveros): Map<string, number> {
  const times = new Map<string, number>()
  for (const { path, body } of fake.requests) {
    if (!path.endsWith('/add')) continue
    for (const [text] of JSON.stringify(body).matchAll(/falls \d+, \d+\./g)) times.set(text, (times.get(text) ?? 0) + 1)
  }
  return times
}

/** How often each message is in the user's sessions. */
async function texts(user: TestUser, url: string): Promise<Map<string, number>> {
  const through = new TestUser(url, user.id, user.key)
  const times = new Map<string, number>()
  const { body } = await through.get('/sessions?limit=200')
  for (const { session_id } of body.sessions) {
    let cursor = ''
    do {
      const page = await through.get(`/sessions/${session_id}/messages?limit=200${cursor && `&cursor=${cursor}`}`)
      for (const { content } of page.body.messages) {
        const text = String(content[0]?.text)
        times.set(text, (times.get(text) ?? 0) + 1)
      }
      cursor = page.body.next_cursor ?? ''
    } while (cursor)
  }
  return times
}
