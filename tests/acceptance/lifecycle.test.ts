import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createUser, picture, TestUser, until } from '../helpers/client.ts'
import { placeTemplate } from '../helpers/database-template.ts'
import { s3Settings } from '../helpers/deployments.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { failToStart, spawnGateway } from '../helpers/process.ts'

const dirs: string[] = []
function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-life-'))
  dirs.push(dir)
  return dir
}

function newStorage(): string {
  const dir = newDir()
  placeTemplate(dir)
  return dir
}

afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

describe('the life of a gateway process', () => {
  it('keeps users, files and memories over a restart', async () => {
    const settings = { STORAGE_DIR: newDir() }
    const first = await spawnGateway(settings)
    const user = await createUser(first.url)
    await user.addMessage('chat:restart', 'the tortoise is called Methuselah', [
      { field: 'pic', kind: 'image', bytes: picture },
    ])
    await user.post('/memories/flush', { session_id: 'chat:restart' })
    expect(await first.stop()).toBe(0)

    const second = await spawnGateway(settings)
    const again = new TestUser(second.url, user.id, user.key)
    const { body } = await again.post('/memories/search', { query: 'tortoise name' })
    expect(body.results[0].text).toContain('Methuselah')
    const response = await fetch(second.url + body.results[0].attachments[0].url, {
      headers: { authorization: `Bearer ${user.key}` },
    })
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(picture)
    expect(await second.stop()).toBe(0)
  })

  it('refuses a second opener of its embedded database, and lets the next one in after a SIGKILL', async () => {
    const settings = { STORAGE_DIR: newStorage() }
    const first = await spawnGateway(settings)
    const refused = await failToStart(settings)
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('STORAGE_DIR')
    expect(refused.output).toContain(String(first.pid))
    await first.stop('SIGKILL')
    const next = await spawnGateway(settings)
    expect(await next.stop()).toBe(0)
  })

  it('acknowledges or refuses every upload under way when it is told to stop', async () => {
    const settings = { STORAGE_DIR: newStorage(), MAX_UPLOADS_PER_USER: '64', MAX_UPLOADS: '64' }
    const first = await spawnGateway(settings)
    const user = await createUser(first.url)
    const bytes = new Uint8Array(400_000).fill(97)
    const uploads = Array.from({ length: 30 }, (_, index) =>
      user
        .addMessage('chat:stop', `message ${index}`, [{ field: 'note', kind: 'doc', name: 'note.txt', bytes }])
        .catch(() => undefined),
    )
    await until(
      () => user.get('/metrics'),
      ({ body }) => /gateway_uploads_in_flight [1-9]/.test(body),
    )
    const start = Date.now()
    expect(await first.stop()).toBe(0)
    expect(Date.now() - start).toBeLessThan(30_000)
    const acknowledged = (await Promise.all(uploads)).flatMap((answer) =>
      answer && answer.status < 300 ? [answer.body.message_ids[0]] : [],
    )

    const second = await spawnGateway(settings)
    const again = new TestUser(second.url, user.id, user.key)
    const { body } =
      acknowledged.length > 0 ? await again.get('/sessions/chat:stop/messages') : { body: { messages: [] } }
    const kept = new Set(body.messages.map(({ message_id: id }: { message_id: string }) => id))
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    await second.stop()
  })

  it('tells who waits for the backend, when it is told to stop, that their message is durable', async () => {
    const everos = await startFakeEveros()
    everos.delay('add', 60_000)
    const gateway = await spawnGateway({
      STORAGE_DIR: newStorage(),
      MEMORY_BACKEND: 'everos',
      EVEROS_BASE_URL: everos.url,
    })
    try {
      const user = await createUser(gateway.url)
      const waiting = user.addMessage('chat:stop', 'One.')
      await until(
        async () => everos.requests.filter(({ path }) => path.endsWith('/add')).length,
        (count) => count === 1,
      )
      const stopped = gateway.stop()
      const { status, body } = await waiting
      expect(status).toBe(202)
      expect(body.status).toBe('queued')
      expect(await stopped).toBe(0)
    } finally {
      await gateway.stop('SIGKILL')
      await everos.close()
    }
  })

  it('ends, and lets go of its database, when its port is taken', async () => {
    const settings = { STORAGE_DIR: newStorage() }
    const first = await spawnGateway({ STORAGE_DIR: newStorage() })
    const port = new URL(first.url).port
    const refused = await failToStart({ ...settings, PORT: port })
    expect(refused.code).toBe(1)
    expect(refused.output).toContain(`PORT: ${port} is in use`)
    await first.stop()
    const next = await spawnGateway(settings)
    expect(await next.stop()).toBe(0)
  })

  it.each([
    { settings: { HOST: '0.0.0.0' }, names: 'GATEWAY_ADMIN_KEY' },
    { settings: { PORT: 'http' }, names: 'PORT' },
    { settings: { MEMORY_BACKEND: 'everos' }, names: 'EVEROS_BASE_URL' },
    { settings: { DATABASE_URL: 'postgres://127.0.0.1:1/none' }, names: 'DATABASE_URL' },
    { settings: { DATABASE_URL: 'mysql://127.0.0.1/x' }, names: 'DATABASE_URL' },
    { settings: { S3_ENDPOINT: 'http://127.0.0.1:1' }, names: 'S3_BUCKET' },
    { settings: { STORAGE_DIR: 'package.json/none' }, names: 'STORAGE_DIR' },
  ])('names $names when it cannot start with $settings', async ({ settings, names }) => {
    const { code, output } = await failToStart({ STORAGE_DIR: newDir(), ...settings })
    expect(code).toBe(1)
    expect(output).toContain(names)
    expect(output).not.toContain('    at ')
  })

  it.skipIf(!s3Settings)('names the setting of the object store that is wrong', async () => {
    const wrong = { ...s3Settings, S3_SECRET_ACCESS_KEY: 'not the secret' }
    const { code, output } = await failToStart({ STORAGE_DIR: newStorage(), ...wrong })
    expect(code).toBe(1)
    expect(output).toContain('the S3 object store failed the start-up test')
    expect(output).toContain('S3_SECRET_ACCESS_KEY: ')
    expect(output).not.toContain('not the secret')
  })
})
