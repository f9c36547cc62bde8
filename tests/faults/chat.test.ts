import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser, until } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments } from '../helpers/deployments.ts'
import { spawnGateway } from '../helpers/process.ts'
import { isLong, seed } from '../helpers/seed.ts'
import { writeParts } from '../helpers/stub-provider.ts'
import {
  ChatJournal,
  chat,
  DONE,
  delta,
  type PacedProvider,
  question,
  STOP,
  startPacedProvider,
} from './chat-journal.ts'
import { checkChats, messagesOf, textOf } from './check-chats.ts'
import { checkStorage } from './check-storage.ts'
import { Decisions } from './random.ts'
import { Replica } from './replicas.ts'
import { inspect, newSite, type Site } from './site.ts'

/** Of the long form. */
const KILLS = Number(process.env.FAULTS_CHAT_KILLS ?? 100)
const CLIENTS = 8
const USERS = 3
const SETTLE_MS = 200_000
const PROGRESS_MS = 120_000

let provider: PacedProvider
beforeAll(async () => {
  provider = await startPacedProvider()
  const begin = (response: ServerResponse) =>
    writeParts(response.writeHead(200, { 'content-type': 'text/event-stream' }), [delta('Begun ')])
  provider.script('never-ending', begin)
  provider.script('ending', async (response) => {
    await begin(response)
    await pause(3_000)
    response.end(delta('and ended.') + STOP + DONE)
  })
})
afterAll(() => provider.close())

function settingsOf(site: Site): Record<string, string> {
  return {
    ...site.settings,
    MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url } }),
    RATE_LIMIT_PROXY_10S: '0',
    ORPHAN_GRACE_MS: '3000',
    MEMORY_WAIT_MS: '3000',
  }
}

const campaigns = [
  { name: 'embedded defaults', replicas: 1, kills: isLong ? Math.ceil(KILLS / 2) : 1, each: 8 },
  { name: 'PostgreSQL', replicas: 2, kills: isLong ? KILLS : 2, each: 12 },
]

describe.concurrent.each(campaigns)('SIGKILL of $replicas gateways on $name', ({ name, replicas, kills, each }) => {
  const deployment = deployments.find((candidate) => candidate.name === name) as Deployment
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }

  it(`loses and doubles no chat in ${kills} kills`, { timeout: SETTLE_MS + kills * 40_000 }, async () => {
    const site = await newSite(deployment)
    const settings = settingsOf(site)
    const all = Array.from({ length: replicas }, () => new Replica(settings))
    try {
      const journal = await killUnderChats(all, kills, each)
      await using inspector = await inspect(settings)
      const { settledAfterMs, ...storage } = await checkStorage(inspector, settings, SETTLE_MS)
      const findings = { ...(await checkChats(journal, inspector.url)), ...storage }
      console.log(
        [
          `${name}: ${kills} kills of ${replicas} replicas under chats`,
          `${journal.chats.length} chats, ${journal.count('finished')} finished, ${journal.count('late')} late, ${journal.count('cut')} cut off`,
          ...Object.entries(journal.refusals).map(([reason, count]) => `${count} × ${reason}`),
          ...Object.entries(findings).map(([what, list]) => [`${list.length} ${what}`, ...list.slice(0, 5)].join(': ')),
          `settled after ${settledAfterMs} ms, seed ${seed}`,
        ].join('; '),
      )
      for (const [what, list] of Object.entries(findings)) expect(list, what).toEqual([])
      for (const { deaths } of all) expect(deaths, 'ended without being killed').toEqual([])
      expect(journal.count('finished')).toBeGreaterThanOrEqual(kills * each)
    } finally {
      await Promise.all(all.map((replica) => replica.stop('SIGKILL')))
      await site.drop()
    }
  })
})

/** Some end in time, some would never end. */
const STREAMS = 12
const NEVER_ENDING = 3
const EXIT_MS = 30_000

describe.concurrent.each(['embedded defaults', 'PostgreSQL'])('SIGTERM with streams under way on %s', (name) => {
  const deployment = deployments.find((candidate) => candidate.name === name) as Deployment
  // In the short form one of them says it.
  it.skipIf(Boolean(deployment.missing) || (!isLong && name === 'embedded defaults'))(
    'lets them end or cuts them in time, and keeps what was said',
    async () => {
      const site = await newSite(deployment)
      const gateway = await spawnGateway(settingsOf(site))
      try {
        const user = await createUser(gateway.url)
        const begun = new Set<number>()
        const streams = Array.from({ length: STREAMS }, async (_, index) => {
          const isEnding = index >= NEVER_ENDING
          const seen = await chat({
            url: gateway.url,
            key: user.key,
            thread: { id: `thread-${index}`, resource: user.id },
            body: question(`Stream ${index}`, [], { stream: true }),
            headers: { 'x-script': isEnding ? 'ending' : 'never-ending' },
            onText: () => begun.add(index),
          })
          return { index, isEnding, seen }
        })
        await until(
          async () => begun.size,
          (size) => size === STREAMS,
        )
        const began = performance.now()
        expect(await gateway.stop('SIGTERM')).toBe(0)
        const exitMs = Math.round(performance.now() - began)
        expect(exitMs).toBeLessThan(EXIT_MS)
        await using inspector = await inspect(settingsOf(site))
        for (const { index, isEnding, seen } of await Promise.all(streams)) {
          const said = await messagesOf(inspector.url, user, `thread-${index}`)
          expect(said.map(textOf)).toEqual([`Stream ${index}`, isEnding ? 'Begun and ended.' : 'Begun '])
          expect(said[1]?.metadata?.finish_reason).toBe(isEnding ? 'stop' : 'cut_off')
          expect(seen.text.endsWith(DONE)).toBe(isEnding)
        }
        console.log(
          `${name}: SIGTERM with ${STREAMS} streams under way, ${NEVER_ENDING} without an end: exit after ${exitMs} ms`,
        )
      } finally {
        await gateway.stop('SIGKILL')
        await site.drop()
      }
    },
  )
})

/** Kills one replica after each so many finished chats, in the end all. Returns what the clients know. */
async function killUnderChats(replicas: readonly Replica[], kills: number, each: number): Promise<ChatJournal> {
  await Promise.all(replicas.map((replica) => replica.start()))
  const urls = () => replicas.flatMap(({ url }) => (url ? [url] : []))
  const users = await Promise.all(Array.from({ length: USERS }, () => createUser(urls()[0] ?? '')))
  const journal = new ChatJournal(provider)
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    const client = `client-${index}`
    const decisions = new Decisions(client)
    const user = users[index % USERS] as TestUser
    while (!isOver) {
      const up = urls()
      // Some speak with others in one thread.
      const thread = decisions.chance(0.4) ? 'shared' : client
      if (up.length > 0) await journal.send(decisions.pick(up), { user, thread, client }, decisions)
      await pause(decisions.integer(0, 30))
    }
  })
  const decisions = new Decisions('killer of chats')
  for (let kill = 1; kill <= kills; kill++) {
    await until(
      async () => journal.count('finished'),
      (finished) => finished >= kill * each && urls().length === replicas.length,
      PROGRESS_MS,
    )
    await pause(decisions.integer(0, 300))
    const victim = decisions.pick(replicas)
    await victim.stop('SIGKILL')
    if (kill < kills) void victim.start()
  }
  isOver = true
  await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')))
  await Promise.all(clients)
  return journal
}
