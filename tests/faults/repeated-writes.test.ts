import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createUser, TestUser } from '../helpers/client.ts'
import { assertAvailable, deployments } from '../helpers/deployments.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { seed } from '../helpers/seed.ts'

const REPLICAS = 3
const KILLS = Number(process.env.FAULTS_REPEAT_KILLS ?? 3)
const CLIENTS = 6

const deployment = deployments.findLast(
  ({ name, missing }) => name.startsWith('PostgreSQL') && !name.includes('EverOS') && !missing,
)
const missing = deployments.find(({ name }) => name === 'PostgreSQL and S3')

describe('writes that are repeated with their Idempotency-Key, over replicas', () => {
  if (!deployment) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('need PostgreSQL', () => missing && assertAvailable(missing))
    it.skip('not run: TEST_DATABASE_URL is not set', () => {})
    return
  }

  it('have one effect of 50 at once', async () => {
    await withReplicas(async (replicas) => {
      const user = await createUser(replicas[0]?.url ?? '')
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => upload(of(user, replicas[at % REPLICAS]), 'same', 'One.')),
      )
      expect(answers.filter((status) => ![200, 202, 409, 429].includes(status))).toEqual([])
      expect(await texts(of(user, replicas[0]))).toEqual(['One.'])
    })
  })

  it(`have one effect each while replicas are killed ${KILLS} times (seed ${seed})`, { timeout: 600_000 }, async () => {
    await withReplicas(async (replicas, restart) => {
      const random = fc.sample(fc.nat(), { seed: seed, numRuns: 10_000 })
      const next = (below: number) => (random.pop() ?? 0) % below
      const user = await createUser(replicas[0]?.url ?? '')
      let isOver = false
      const sent: string[] = []
      let repeated = 0
      const client = async (name: number) => {
        for (let count = 0; !isOver; count++) {
          const key = `${name}-${count}`
          sent.push(key)
          // Until it is answered with success, however often its answer is lost.
          for (let status = 0; status !== 200 && status !== 202; repeated++) {
            status = await upload(of(user, replicas[next(REPLICAS)]), key, key).catch(() => 0)
            expect([0, 200, 202, 409, 429, 503]).toContain(status)
            // The replica is being started again.
            if (status === 0) await sleep(20)
          }
          repeated--
        }
      }
      const clients = Array.from({ length: CLIENTS }, (_, name) => client(name))
      for (let kill = 0; kill < KILLS; kill++) {
        const before = sent.length
        while (sent.length < before + 3 + next(8)) await new Promise((resolve) => setTimeout(resolve, 5))
        await restart(next(REPLICAS))
      }
      isOver = true
      await Promise.all(clients)
      const kept = await texts(of(user, replicas[0]))
      expect(kept.toSorted()).toEqual(sent.toSorted())
      console.log(`${KILLS} kills, ${sent.length} uploads, ${repeated} repetitions, each once; seed ${seed}`)
    })
  })
})

async function withReplicas(
  work: (replicas: GatewayProcess[], restart: (which: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-repeat-'))
  const { settings, drop } = await deployment!.prepare(dir)
  const start = (at: number) =>
    spawnGateway({
      ...settings,
      STORAGE_DIR: join(dir, String(at)),
      RELAY_WAIT_MS: '1000',
      MAX_UPLOADS_PER_USER: '64',
      MAX_UPLOADS: '64',
    })
  const replicas: GatewayProcess[] = []
  try {
    for (let at = 0; at < REPLICAS; at++) replicas.push(await start(at))
    await work(replicas, async (which) => {
      await replicas[which]?.stop('SIGKILL')
      replicas[which] = await start(which)
    })
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')))
    await drop()
    rmSync(dir, { recursive: true, force: true })
  }
}

function of({ id, key }: TestUser, replica: GatewayProcess | undefined): TestUser {
  return new TestUser(replica?.url ?? '', id, key)
}

async function upload(user: TestUser, key: string, text: string): Promise<number> {
  const content = [
    { type: 'text', text },
    { type: 'doc', upload_id: 'note' },
  ]
  const { status } = await user.upload(
    '/memories/add/multipart',
    { session_id: 'chat:1', messages: JSON.stringify([{ role: 'user', timestamp: 1, content }]) },
    [{ field: 'note', name: 'note.txt', bytes: Buffer.from(`A note of ${text}. `.repeat(20_000)) }],
    { headers: { 'idempotency-key': key } },
  )
  return status
}

async function texts(user: TestUser): Promise<string[]> {
  const found: string[] = []
  let cursor = ''
  do {
    const { body } = await user.get(`/sessions/chat:1/messages?limit=200${cursor && `&cursor=${cursor}`}`)
    found.push(...body.messages.map(({ content }: { content: { text: string }[] }) => content[0]?.text))
    cursor = body.next_cursor ?? ''
  } while (cursor)
  return found
}
