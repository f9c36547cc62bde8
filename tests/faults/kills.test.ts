import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createUser, until } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments } from '../helpers/deployments.ts'
import { seed } from '../helpers/seed.ts'
import { checkJournal } from './check-journal.ts'
import { checkStorage } from './check-storage.ts'
import { Client } from './clients.ts'
import { Journal } from './journal.ts'
import { Decisions } from './random.ts'
import { Replica } from './replicas.ts'
import { inspect, newSite } from './site.ts'

const CLIENTS = 8
const USERS = 4
/** Some kills hit a replica that is starting. */
const KILLED_AS_IT_STARTS = 0.12
/** A session that met with several deaths is tried again after five minutes at most. */
const SETTLE_MS = 400_000
/** For one kill's uploads, on a machine that does much else. */
const PROGRESS_MS = 240_000

const campaigns = [
  { name: 'embedded defaults', replicas: 1, kills: Number(process.env.FAULTS_KILLS_EMBEDDED ?? 2), each: 4 },
  { name: 'PostgreSQL and S3', replicas: 3, kills: Number(process.env.FAULTS_KILLS ?? 6), each: 7 },
]

describe.each(campaigns)('SIGKILL of $replicas gateways on $name', ({ name, replicas, kills, each }) => {
  const deployment = deployments.find((candidate) => candidate.name === name) as Deployment
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }

  it(`loses nothing acknowledged in ${kills} kills`, { timeout: 120_000 + SETTLE_MS + kills * 20_000 }, async () => {
    const began = Date.now()
    const site = await newSite(deployment)
    const settings: Record<string, string> = {
      ...site.settings,
      RELAY_WAIT_MS: '2000',
      MAX_UPLOADS_PER_USER: '16',
      ORPHAN_GRACE_MS: '5000',
    }
    const all = Array.from(
      { length: replicas },
      (_, index) =>
        new Replica({
          ...settings,
          STORAGE_DIR: replicas === 1 ? (settings.STORAGE_DIR ?? '') : `${settings.STORAGE_DIR}/${index}`,
        }),
    )
    try {
      const journal = await killUnderLoad(all, kills, each)
      const killed = Date.now()
      await using inspector = await inspect(settings)
      const { settledAfterMs, ...storage } = await checkStorage(inspector, settings, SETTLE_MS)
      const findings = { ...(await checkJournal(journal, inspector.url)), ...storage }
      console.log(
        [
          `${name}: ${kills} kills of ${replicas} replicas`,
          `${journal.uploads.length} uploads (${journal.files} files) sent, ${journal.count('acknowledged')} acknowledged`,
          `${journal.count('unknown')} of unknown outcome, ${journal.deletions.length} deletions, ${journal.flushes.length} flushes`,
          ...Object.entries(journal.refusals).map(([reason, count]) => `${count} × ${reason}`),
          ...Object.entries(findings).map(([what, list]) => [`${list.length} ${what}`, ...list.slice(0, 5)].join(': ')),
          `settled after ${Math.round(settledAfterMs / 1000)} s, ${((killed - began) / 60_000).toFixed(1)} + ${((Date.now() - killed) / 60_000).toFixed(1)} minutes, seed ${seed}`,
        ].join('; '),
      )
      for (const [what, list] of Object.entries(findings)) expect(list, what).toEqual([])
      for (const { deaths } of all) expect(deaths, 'ended without being killed').toEqual([])
      expect(journal.count('acknowledged')).toBeGreaterThanOrEqual(kills * each)
    } finally {
      await Promise.all(all.map((replica) => replica.stop('SIGKILL')))
      await site.drop()
    }
  })
})

/** Kills one replica after each so many acknowledged uploads, in the end all. Returns what the clients know. */
async function killUnderLoad(replicas: readonly Replica[], kills: number, each: number): Promise<Journal> {
  await Promise.all(replicas.map((replica) => replica.start()))
  const urls = () => replicas.flatMap(({ url }) => (url ? [url] : []))
  const accounts = await Promise.all(Array.from({ length: USERS }, () => createUser(urls()[0] ?? '')))
  const journal = new Journal()
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const name = `client-${index}`
    const account = accounts[index % USERS]
    if (!account) throw new Error('There are users.')
    return new Client({ journal, account, name, decisions: new Decisions(name), urls }).sendUntil(() => isOver)
  })
  const decisions = new Decisions('killer')
  const starting = new Set<Replica>()
  for (let kill = 1; kill <= kills; kill++) {
    await until(
      async () => journal.count('acknowledged'),
      (acknowledged) => acknowledged >= kill * each && urls().length >= Math.min(2, replicas.length),
      PROGRESS_MS,
    )
    await pause(decisions.integer(0, 400))
    const isEarly = starting.size > 0 && decisions.chance(KILLED_AS_IT_STARTS)
    const victim = decisions.pick(isEarly ? [...starting] : replicas.filter(({ url }) => url))
    await victim.stop('SIGKILL')
    if (kill === kills) break
    starting.add(victim)
    void victim.start().then(() => {
      if (victim.url) starting.delete(victim)
    })
  }
  isOver = true
  await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')))
  await Promise.all(clients)
  return journal
}
