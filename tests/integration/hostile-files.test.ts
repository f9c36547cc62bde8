import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MEMORY_ARGUMENTS, type Memory, restingMemory } from '../helpers/alive-memory.ts'
import { call, createUser, type TestUser, until } from '../helpers/client.ts'
import { placeTemplate, postgresTemplate } from '../helpers/database-template.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { type HostileFile, png, refused, taken } from '../helpers/hostile-files.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { noRows, rowsOf } from '../helpers/stored.ts'
import { createPostgresDatabase, testDatabaseUrl } from '../helpers/test-database.ts'

const MIB = 1024 * 1024
/** How far the gateway's own memory may grow over what normal files of every type make of it, in MiB: at any moment, and of that what stays alive. */
const MOST_GROWTH = 64
const MOST_ALIVE = 16
/** Garbage is let go of early, or there would be more of it than the bound, now and then. */
const LITTLE_GARBAGE = '--max-semi-space-size=2'

const reasons: Record<string, object> = {
  archive: {
    reason: 'unsafe_archive',
    max_archive_entries: 5000,
    max_archive_bytes: 500 * MIB,
    max_archive_ratio: 100,
  },
  pixels: { reason: 'too_many_pixels', width: 30_000, height: 30_000, max_image_pixels: 50_000_000 },
  unreadable: { reason: 'unreadable_picture' },
}

describe('a file that says it is too much', () => {
  let gateway: TestGateway
  let user: TestUser

  beforeAll(async () => {
    gateway = await sharedGateway()
    user = await createUser(gateway.url)
  })

  const ways: Record<string, (given: HostileFile) => Promise<Awaited<ReturnType<typeof call>>>> = {
    'a resource': (given) => user.addResource(given),
    'a multipart message': (given) => user.addMessage('chat:1', 'Look.', [{ field: 'f', ...given }]),
    'inline base64': ({ name, kind, bytes }) => {
      const content = [{ type: kind, name, base64: bytes.toString('base64') }]
      return user.post('/memories/add', { session_id: 'chat:1', messages: [{ role: 'user', content }] })
    },
  }

  describe.each(Object.keys(ways))('as %s', (way) => {
    it.each(refused)('$name is refused before it is stored', async ({ reason, ...given }) => {
      const answer = await ways[way]!(given)
      expect(answer, JSON.stringify(answer.body)).toMatchObject({
        status: 422,
        body: { error: { code: 'invalid_request', details: { upload_id: expect.any(String), ...reasons[reason] } } },
      })
      expect(answer.body.error.message).toMatch(/Save it anew|Send it smaller|Save the picture anew/)
      expect(await rowsOf(gateway, user)).toEqual(noRows)
    })
  })

  it('takes none of the other files of its request with it into the store', async () => {
    const note = { field: 'a', kind: 'doc', name: 'note.txt', bytes: Buffer.from('fine') }
    const answer = await user.addMessage('chat:1', 'Look.', [note, { field: 'b', ...refused[0]! }])
    expect(answer).toMatchObject({ status: 422, body: { error: { details: { upload_id: 'b' } } } })
    expect(await rowsOf(gateway, user)).toEqual(noRows)
  })

  it('is taken up to the limit', async () => {
    const answer = await user.addResource({ name: 'wide.png', bytes: png(50_000_000, 1, 1000) })
    expect(answer.status).toBe(201)
    const more = await user.addResource({ name: 'wide.png', bytes: png(50_000_001, 1, 1000) })
    expect(more.body.error.details).toMatchObject({ reason: 'too_many_pixels', width: 50_000_001 })
  })
})

describe('a file that is too much for its reader', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-hostile-'))
  let gateway: GatewayProcess
  let database: Awaited<ReturnType<typeof createPostgresDatabase>> | undefined
  let user: TestUser
  let before: Memory
  let most = 0
  const sampling = new AbortController()

  beforeAll(async () => {
    database = testDatabaseUrl ? await createPostgresDatabase(testDatabaseUrl, postgresTemplate()) : undefined
    if (!database) placeTemplate(dir)
    const settings = { STORAGE_DIR: dir, ...(database && { DATABASE_URL: database.url }) }
    gateway = await spawnGateway(settings, [LITTLE_GARBAGE, ...MEMORY_ARGUMENTS])
    user = await createUser(gateway.url)
    const normal = ['document.docx', 'document.pdf', 'picture.png', 'message.eml', 'note.txt']
    // Until the process is as large as its daily work makes it: a heap that is young still grows by itself.
    for (let day = 0; day < 4; day++) {
      for (const name of normal) await user.addResource({ name, bytes: readFileSync(`fixtures/files/${name}`) })
      await user.addResource({ name: `long-${day}.txt`, bytes: Buffer.from('All work and no play. '.repeat(100_000)) })
    }
    before = await restingMemory(gateway)
    void sample()
  })
  afterAll(async () => {
    sampling.abort()
    await gateway?.stop()
    await database?.drop()
    rmSync(dir, { recursive: true, force: true })
  })

  function rss(): number {
    const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  }

  async function sample() {
    while (!sampling.signal.aborted) {
      most = Math.max(most, rss())
      await sleep(20)
    }
  }

  it.each(taken)(
    '$name is kept, and what can be read of it is remembered; the next file is read',
    async ({ says, ...given }) => {
      const added = await user.upload('/resources', {}, [{ field: 'file', ...given }], {
        headers: { prefer: 'respond-async' },
      })
      expect(added.status, JSON.stringify(added.body)).toBe(202)
      const { body } = await until(
        () => user.get(`/resources/${added.body.resource_id}`),
        (answer) => answer.body.status !== 'processing',
        60_000,
      )
      expect(body.status).toBe('extracted')
      const found = await user.post('/memories/search', { query: given.name, scope: ['resources'], top_k: 1 })
      expect(found.body.results[0].text).toContain(says ?? '')
      const word = `canary${given.name.replace('.', '')}`
      expect((await user.addResource({ name: 'next.txt', bytes: Buffer.from(word) })).status).toBe(201)
      const next = await user.post('/memories/search', { query: word, scope: ['resources'], top_k: 1 })
      expect(next.body.results[0].text).toContain(word)
    },
    90_000,
  )

  it('leaves the gateway as it was, and no larger than it may be', async () => {
    expect((await call(`${gateway.url}/health`)).body.status).toBe('ok')
    const after = await restingMemory(gateway)
    const figures = [before.aliveMiB, after.aliveMiB, before.residentMiB, after.residentMiB, most].map(Math.round)
    process.stdout.write(
      `hostile files: MiB alive ${figures[0]} -> ${figures[1]}, resident ${figures[2]} -> ${figures[3]}, at most ${figures[4]}\n`,
    )
    expect(after.aliveMiB - before.aliveMiB).toBeLessThan(MOST_ALIVE)
    expect(most - before.residentMiB).toBeLessThan(MOST_GROWTH)
  })
})
