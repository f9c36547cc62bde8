import { asc, eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attachments } from '../../src/db/schema/attachments.ts'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { users } from '../../src/db/schema/users.ts'
import { sqlState } from '../../src/db/sql-state.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
let user: TestUser

beforeAll(async () => {
  gateway = await startGateway()
})
afterAll(() => gateway.close())
beforeEach(async () => {
  user = await createUser(gateway.url)
})

const png = { name: 'secret-name.png', bytes: picture, type: 'image/png' }

async function idOf({ id }: TestUser): Promise<string> {
  const [row] = await gateway.services.db.select().from(users).where(eq(users.externalId, id))
  return row?.id ?? ''
}

async function entries() {
  return gateway.services.db
    .select()
    .from(auditLog)
    .where(eq(auditLog.userId, await idOf(user)))
    .orderBy(asc(auditLog.id))
}

const denied = async (target: string) => {
  const { values } = await gateway.services.metrics.deniedAccess.get()
  return values.find(({ labels }) => labels.target === target)?.value ?? 0
}

describe('the audit log', () => {
  it('says who did what to what, with which key and in which request, and nothing of the content', async () => {
    await user.addMessage('chat:1', 'secret words', [{ field: 'i', kind: 'image', ...png }])
    await user.post('/memories/flush', { session_id: 'chat:1' })
    const { body: resource } = await user.addResource(png, { title: 'secret title' })
    await user.send('PATCH', `/resources/${resource.resource_id}`, { title: 'secret too' })
    await user.delete(`/resources/${resource.resource_id}`)
    await user.delete('/sessions/chat:1')
    const { body: key, headers } = await user.post(`/users/${user.id}/keys`)
    await user.delete(`/users/${user.id}/keys/${key.key_id}`)
    await user.get('/sessions')

    const rows = await entries()
    expect(rows.map(({ action, result }) => `${action} ${result}`)).toEqual([
      'messages.add done',
      'session.flush done',
      'resource.add done',
      'resource.update done',
      'resource.delete done',
      'session.delete done',
      'key.create done',
      'key.revoke done',
    ])
    expect(rows[0]).toMatchObject({ bytes: picture.length, target: expect.stringMatching(/^bat_/) })
    expect(rows[2]).toMatchObject({ bytes: picture.length, target: resource.resource_id })
    expect(rows[6]).toMatchObject({ target: key.key_id, requestId: headers.get('x-request-id') })
    expect(new Set(rows.map(({ keyId }) => keyId)).size).toBe(1)
    expect(JSON.stringify(rows)).not.toMatch(/secret|chat:1/)
  })

  it('has nothing of what was refused for another reason', async () => {
    await user.post('/memories/add', { session_id: 'chat:1', messages: [] })
    await user.delete('/sessions/chat:unknown')
    await user.get('/resources/r_unknown')
    expect(await entries()).toEqual([])
  })

  it('only grows', async () => {
    await user.addMessage('chat:1', 'x')
    const { db } = gateway.services
    for (const change of [sql`update audit_log set action = 'x'`, sql`delete from audit_log`]) {
      const refused = await Promise.resolve(db.execute(change)).then(
        () => undefined,
        (error: unknown) => sqlState(error),
      )
      expect(refused).toBe('P0001')
    }
    expect(await entries()).toHaveLength(1)
  })

  it('outlives the user', async () => {
    await user.addMessage('chat:1', 'x')
    const [entry] = await entries()
    await user.delete(`/users/${user.id}`)
    const rows = await gateway.services.db.select().from(auditLog).where(eq(auditLog.userId, entry!.userId!))
    expect(rows.at(-1)).toMatchObject({ action: 'user.erase', result: 'done', target: entry!.userId })
  })
})

describe("a request for another user's data", () => {
  const targets: [string, (owner: TestUser) => Promise<{ id: string; ask: () => Promise<{ status: number }> }>][] = [
    [
      'resource',
      async (owner) => {
        const id = (await owner.addResource(png)).body.resource_id
        return { id, ask: () => user.get(`/resources/${id}`) }
      },
    ],
    [
      'attachment',
      async (owner) => {
        const { body } = await owner.addMessage('chat:1', 'x', [{ field: 'i', kind: 'image', ...png }])
        const id = body.attachments[0].attachment_id
        return { id, ask: () => user.get(`/attachments/${id}/content`) }
      },
    ],
    [
      'key',
      async (owner) => {
        const id = (await owner.post(`/users/${owner.id}/keys`)).body.key_id
        return { id, ask: () => user.delete(`/users/${user.id}/keys/${id}`) }
      },
    ],
    ['user', async (owner) => ({ id: await idOf(owner), ask: () => user.get(`/users/${owner.id}/keys`) })],
    ['user', async (owner) => ({ id: await idOf(owner), ask: () => user.get('/sessions', { 'x-user-id': owner.id }) })],
  ]

  const ofDenials = async () => (await entries()).filter(({ result }) => result === 'denied')
  /** A denial is written down beside the answer, not before it. */
  const noted = (count: number) => until(ofDenials, (rows) => rows.length >= count)

  /** Those before one that is made now. */
  async function notedAfterAll() {
    const other = await createUser(gateway.url)
    const id = await idOf(other)
    await user.get(`/users/${other.id}/keys`)
    const rows = await until(ofDenials, (all) => all.some(({ target }) => target === `user:${id}`))
    return rows.filter(({ target }) => target !== `user:${id}`)
  }

  it.each(targets)('is written down and counted: %s', async (kind, prepare) => {
    const { id, ask } = await prepare(await createUser(gateway.url))
    const before = await denied(kind)
    expect((await ask()).status).toBeGreaterThanOrEqual(401)
    expect(await noted(1)).toEqual([
      expect.objectContaining({ action: 'access', result: 'denied', target: `${kind}:${id}` }),
    ])
    expect(await denied(kind)).toBe(before + 1)
  })

  it("does not write down the other user's name", async () => {
    const other = await createUser(gateway.url)
    await user.get(`/users/${other.id}/keys`)
    await user.get('/sessions', { 'x-user-id': other.id })
    expect(JSON.stringify(await noted(2))).not.toContain(other.id)
  })

  it("is not confused with one for what was the user's own", async () => {
    const { body: key } = await user.post(`/users/${user.id}/keys`)
    await user.delete(`/users/${user.id}/keys/${key.key_id}`)
    const { body } = await user.addMessage('chat:1', 'x', [{ field: 'i', kind: 'image', ...png }])
    const { attachment_id } = body.attachments[0]
    await gateway.services.db.update(attachments).set({ state: 'deleting' }).where(eq(attachments.id, attachment_id))
    expect((await user.delete(`/users/${user.id}/keys/${key.key_id}`)).status).toBe(404)
    expect((await user.get(`/attachments/${attachment_id}/content`)).status).toBe(404)
    expect(await notedAfterAll()).toEqual([])
  })

  it('is not confused with one for what nobody has', async () => {
    for (const path of ['/resources/r_x', '/attachments/att_x/content', '/users/nobody/keys']) await user.get(path)
    expect(await notedAfterAll()).toEqual([])
  })
})
