import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createUser, TestUser, until } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments } from '../helpers/deployments.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'

const KILLS = Number(process.env.CRASH_KILLS ?? 20)
const UPLOADERS = 4
const SIZES = [900, 70_000, 400_000, 1_500_000]
const SESSION = 'chat:crash'

/** What the client knows for certain: kept outside the process that is killed. */
interface Acknowledged {
  readonly messageId: string
  readonly attachmentId: string
  readonly sha256: string
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Text that starts like no other file, so that it is taken as what it is. */
function randomText(size: number): Uint8Array {
  return Buffer.from(
    randomBytes(Math.ceil((size * 3) / 4))
      .toString('base64')
      .slice(0, size),
  )
}

async function uploadUntilKilled(
  user: TestUser,
  isKilled: () => boolean,
  journal: Acknowledged[],
  sent: { count: number },
) {
  while (!isKilled()) {
    const bytes = randomText(SIZES[sent.count++ % SIZES.length] ?? 1)
    try {
      const { status, body } = await user.addMessage(SESSION, 'crash test', [
        { field: 'note', kind: 'doc', name: 'note.txt', bytes },
      ])
      if (status !== 200 && status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`)
      journal.push({
        messageId: body.message_ids[0],
        attachmentId: body.attachments[0].attachment_id,
        sha256: sha256(bytes),
      })
    } catch (error) {
      if (!isKilled()) throw error
    }
  }
}

async function download(user: TestUser, attachmentId: string): Promise<string> {
  const response = await fetch(`${user.base}/attachments/${attachmentId}/content`, {
    headers: { authorization: `Bearer ${user.key}` },
  })
  if (!response.ok) return `status ${response.status}`
  return sha256(new Uint8Array(await response.arrayBuffer()))
}

async function allMessages(user: TestUser): Promise<Map<string, { state: string }>> {
  const messages = new Map<string, { state: string }>()
  let cursor = ''
  do {
    const { body } = await user.get(`/sessions/${SESSION}/messages?limit=200${cursor && `&cursor=${cursor}`}`)
    for (const message of body.messages) messages.set(message.message_id, message)
    cursor = body.next_cursor ?? ''
  } while (cursor)
  return messages
}

// Embedded, and the services that are here: with S3 if there is one.
const onPostgres = deployments.find(({ name, missing }) => name === 'PostgreSQL and S3' && !missing)
const tried = deployments.filter(
  (deployment) => deployment.name === 'embedded defaults' || deployment === (onPostgres ?? deployments[1]),
)

describe.each(tried)('SIGKILL during uploads on $name', (deployment: Deployment) => {
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }

  it(`loses no acknowledged byte or message in ${KILLS} kills`, { timeout: 300_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gateway-crash-'))
    const { settings, drop } = await deployment.prepare(dir)
    const journal: Acknowledged[] = []
    const sent = { count: 0 }
    let key: { id: string; key: string } | undefined
    let gateway: GatewayProcess | undefined
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        gateway = await spawnGateway({ ...settings, RELAY_WAIT_MS: '1000', MAX_UPLOADS_PER_USER: '16' })
        const user: TestUser = key ? new TestUser(gateway.url, key.id, key.key) : await createUser(gateway.url)
        key = user
        let isKilled = false
        const uploaders = Array.from({ length: UPLOADERS }, () =>
          uploadUntilKilled(user, () => isKilled, journal, sent),
        )
        const before = journal.length
        await until(
          async () => journal.length,
          (count) => count >= before + 1 + (kill % 5),
        )
        isKilled = true
        await gateway.stop('SIGKILL')
        await Promise.all(uploaders)
      }

      gateway = await spawnGateway({ ...settings, ORPHAN_GRACE_MS: '1' })
      const user = new TestUser(gateway.url, key?.id ?? '', key?.key ?? '')
      const messages = await allMessages(user)
      const lost = journal.filter(({ messageId }) => !messages.has(messageId))
      expect(lost, 'acknowledged messages that are gone').toEqual([])
      for (const { attachmentId, sha256: wanted } of journal) expect(await download(user, attachmentId)).toBe(wanted)

      const settled = await until(
        () => allMessages(user),
        (now) => [...now.values()].every(({ state }) => state !== 'queued'),
        60_000,
      )
      expect(settled.size, 'messages seen after recovery').toBeGreaterThanOrEqual(journal.length)
      console.log(
        `${deployment.name}: ${KILLS} kills, ${sent.count} uploads sent, ${journal.length} acknowledged, ${settled.size} kept`,
      )
      await gateway.stop()
    } finally {
      await gateway?.stop('SIGKILL')
      await drop()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
