import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { type Answer, call, createUser, type TestUser } from '../helpers/client.ts'
import {
  type DialectIds,
  type DialectOwner,
  makeDialectOwner,
  makeThread,
  unknownDialectIds,
  wordless,
} from '../helpers/dialect-owner.ts'
import { type Dialect, guardedRoutes, type Sender, sendDialect } from '../helpers/dialect-routes.ts'
import { serveEcho } from '../helpers/echo-model.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type Receiver, startReceiver } from '../helpers/receiver.ts'
import { systemContextOf } from '../helpers/service.ts'
import { nativeContext } from '../helpers/thread-client.ts'

/** They all have this name, and say nearly the same things. */
const NAME = 'ada@example.com'
const ADMIN_KEY = 'test-admin-key-of-the-isolation-test'
const admin = { authorization: `Bearer ${ADMIN_KEY}` }

/** Somebody whose words nobody else may see. */
interface Player {
  readonly name: string
  readonly mark: string
  readonly ids: DialectIds
  /** How they ask on a dialect; undefined: they do not. */
  readonly sender: (dialect: Dialect) => Sender | undefined
  readonly native?: TestUser
  /** What requests of the native API name. */
  readonly nativeIds?: { readonly resource: string; readonly attachment: string; readonly session: string }
  readonly accountId?: string
}

let gateway: TestGateway
let base: string
let receiver: Receiver
let players: Player[]
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  gateway = await startGateway({ WEBHOOK_ALLOW_PRIVATE: 'true', GATEWAY_ADMIN_KEY: ADMIN_KEY })
  const served = await serveEcho(gateway)
  receiver = await startReceiver()
  closers.push(
    served.close,
    () => receiver.close(),
    () => gateway.close(),
  )
  base = served.url
  const options = { endUser: NAME, hookUrl: receiver.url }
  const a = await makeDialectOwner(gateway, base, options)
  const b = await makeDialectOwner(gateway, base, options)
  const account = { accountId: a.accountId, apiKey: a.apiKey }
  const elsewhere = await makeDialectOwner(gateway, base, { ...options, account, project: 'other' })
  const native = await makeNative()
  const ofDefault = await makeDefaultOwner(options)
  players = [
    player('an end user of account A', a),
    player('one of account B', b),
    player('one of another project of A', elsewhere),
    player('one of the account of the native users', ofDefault),
    native,
  ]
  for (const one of players) await fill(one)
})
afterAll(async () => {
  for (const close of closers) await close()
})

function player(name: string, owner: DialectOwner): Player {
  return {
    name,
    mark: owner.mark,
    ids: owner.ids,
    sender: () => ({ key: owner.projectKey, endUser: NAME }),
    accountId: owner.accountId,
  }
}

/** An application of the account that native users are in: keys of it are made by the operator alone. */
async function makeDefaultOwner(options: { endUser: string; hookUrl: string }): Promise<DialectOwner> {
  const ctx = systemContextOf(gateway)
  const { secret } = await createApiKey(ctx, 'default', { name: 'app', scopes: ['admin'] })
  const account = { accountId: 'default', apiKey: secret }
  return makeDialectOwner(gateway, base, { ...options, account, project: 'default' })
}

/** A native user, who speaks MemorySync too, with their own key and in the project of the same name. */
async function makeNative(): Promise<Player> {
  const user = await createUser(base, NAME, admin)
  const mark = `zq${wordless()}`
  const at = `of the harbour lighthouse ${mark}`
  const headers = { authorization: `Bearer ${user.key}`, 'x-project-id': 'default' }
  const ask = async (path: string, body: object) => {
    const isForm = body instanceof FormData
    const answer = await call(base + path, {
      method: 'POST',
      headers: { ...headers, ...(!isForm && { 'content-type': 'application/json' }) },
      body: isForm ? body : JSON.stringify(body),
    })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const kept = await ask('/memory/add', { text: `The keeper ${at} keeps bees`, tags: [mark] })
  const spare = await ask('/memory/add', { text: `The grandmother ${at} was born in Porto` })
  const form = new FormData()
  form.set('file', new Blob([`The tides table ${at} hangs on the wall`]), `${mark}.txt`)
  const upload = await ask('/memory/upload', form)
  const v1 = { tenant_id: 'acme', user_id: NAME }
  const turns = [{ role: 'user', content: `The first turn ${at}` }]
  const { items } = await ask('/v1/history/append', { ...v1, session_id: 'talk', turns, extract: false })
  await ask('/v1/state/put', { ...v1, namespace: ['space'], key: 'kept', value: { note: at } })
  const session = 'chat:talk'
  const file = { field: 'note', kind: 'doc', name: `${mark}.txt`, bytes: Buffer.from(`The pier ${at}.`) }
  const added = await user.addMessage(session, `The boat ${at}.`, [file])
  await user.post('/memories/flush', { session_id: session })
  const resource = await user.addResource(
    { name: `${mark}.txt`, bytes: Buffer.from(`The chart ${at}.`) },
    { title: mark },
  )
  const threads = await makeThread(await nativeContext(gateway, NAME), mark)
  const named = (number: number) => ({ id: '00000000-0000-4000-8000-000000000000', number })
  return {
    name: 'a native user',
    mark,
    native: user,
    nativeIds: { resource: resource.body.resource_id, attachment: added.body.attachments[0].attachment_id, session },
    sender: (dialect) =>
      dialect === 'layer' || dialect === 'stack' ? undefined : { key: user.key, project: 'default', endUser: 'nobody' },
    ids: {
      ...unknownDialectIds(NAME),
      memory: named(kept.id),
      spare: named(spare.id),
      upload: { ...named(upload.id), file: upload.attachments[0].id },
      session: 'talk',
      turn: items[0].id,
      spareTurn: items[0].id,
      namespace: ['space'],
      ...threads,
    },
  }
}

const at = (mark: string) => `of the harbour lighthouse ${mark}`

/** The same on every surface that they have, so that what is theirs has been written by each. */
async function fill({ mark, ids, sender }: Player): Promise<void> {
  const key = sender('layer')?.key
  if (key === undefined) return
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await call(base + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const metadata = { note: mark }
  await post('/v1/memory/', { content: `The dog ${at(mark)} is called Bruno`, external_user_id: NAME, metadata })
  await post('/v1/chat/', { message: `I live in the village ${at(mark)}`, external_user_id: NAME })
  await post('/v1/chat/legacy', { message: `I own the orchard ${at(mark)}` })
  await post('/api/v1/memories', {
    messages: [{ role: 'user', content: `I love the garden ${at(mark)}` }],
    user_id: NAME,
    agent_id: 'pilot',
    team_id: 'crew',
    metadata,
  })
  await post('/api/v1/memories/import', {
    memories: [{ content: `The cellar ${at(mark)} is cold`, user_id: ids.endUser, agent_id: 'pilot', metadata }],
  })
  await post('/v1/memory/add_turn', { tenant_id: 'acme', user_id: NAME, text: `I own the mill ${at(mark)}` })
}

/** Every route that shows something and takes nothing away; those that write are the matrix's. */
const looks = Object.entries(guardedRoutes).filter(
  ([route, { scope }]) =>
    route.startsWith('GET') ||
    scope === 'read' ||
    /(chat|legacy|completions|responses|messages|prune|consolidate|reflect|export|api-keys\/:id\S+\/test)$/.test(route),
)

function marksOf(text: string, whose: readonly Player[]): string[] {
  return whose.filter(({ mark }) => text.includes(mark)).map(({ name }) => name)
}

const shown = ({ body, headers }: Answer) => JSON.stringify([body, [...headers]])

describe('of five who have the same name', () => {
  it('each finds their own, on every surface', async () => {
    for (const one of players) {
      const seen: Record<string, boolean> = {}
      for (const [route, { dialect }] of looks) {
        const sender = one.sender(dialect)
        if (sender) seen[route] = shown(await sendDialect(base, route, one.ids, sender)).includes(one.mark)
      }
      const found = Object.keys(seen).filter((route) => seen[route])
      for (const route of [
        'POST /memory/query',
        'GET /memory/export',
        'POST /v1/memory/recall',
        'POST /v1/history/list',
        'GET /v1/memory/threads/:thread_id/messages',
        'POST /v1/chat/completions',
        'POST /v1/responses',
        'POST /v1/messages',
        'GET /v1/memory/threads/:thread_id/files/:file_id',
      ]) {
        expect(found, one.name).toContain(route)
      }
      if (one.native) continue
      for (const route of [
        'GET /v1/memory',
        'POST /v1/memory/search',
        'POST /v1/chat',
        'GET /api/v1/memories',
        'GET /api/v1/graph',
      ]) {
        expect(found, one.name).toContain(route)
      }
    }
  }, 120_000)

  it("none is shown another's, whoever's ids a request names", async () => {
    const leaks: string[] = []
    for (const reader of players) {
      const others = players.filter((one) => one !== reader)
      const asked = new Set<string>()
      for (const { ids } of others) {
        for (const [route, { dialect }] of looks) {
          const sender = reader.sender(dialect)
          if (!sender) continue
          const named = { ...ids, endUser: NAME }
          const request = `${route} ${JSON.stringify(guardedRoutes[route]?.request(named))}`
          // Most name nothing of anybody's.
          if (asked.has(request)) continue
          asked.add(request)
          const found = marksOf(shown(await sendDialect(base, route, named, sender)), others)
          if (found.length > 0) leaks.push(`${route} shows ${reader.name} what belongs to ${found.join(', ')}`)
        }
      }
    }
    expect(leaks).toEqual([])
  }, 120_000)

  it('the native API shows what is native, to the native user alone', async () => {
    const native = players.find((one) => one.native)
    if (!native?.native || !native.nativeIds) throw new Error('There is no native user.')
    const { resource, attachment, session } = native.nativeIds
    const routes: [string, string, object?][] = [
      ['GET', '/sessions'],
      ['GET', `/sessions/${encodeURIComponent(session)}/messages`],
      ['GET', '/resources'],
      ['GET', `/resources/${resource}`],
      ['GET', `/resources/${resource}/content`],
      ['GET', `/attachments/${attachment}/content`],
      ['GET', '/operations'],
      ['GET', `/users/${NAME}/keys`],
      [
        'POST',
        '/memories/search',
        {
          query: 'harbour lighthouse',
          conversation_id: 'talk',
          scope: ['current_chat', 'resources', 'all_user_memory'],
        },
      ],
    ]
    const others = players.filter((one) => one !== native)
    let own = 0
    for (const [method, path, body] of routes) {
      const answer = await native.native.send(method, path, body)
      expect([path, answer.status]).toEqual([path, 200])
      expect(marksOf(shown(answer), others)).toEqual([])
      if (shown(answer).includes(native.mark)) own++
      for (const { sender } of others) {
        const key = sender('layer')?.key ?? ''
        const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
        const refused = await call(base + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
        expect([path, refused.status]).toEqual([path, 401])
      }
      // Files of memories are no attachments of the native user's.
      for (const { ids } of others) {
        expect((await native.native.get(`/attachments/${ids.upload.file}/content`)).status).toBe(404)
      }
    }
    expect(own).toBeGreaterThan(4)
  })

  it('webhooks are told of what happened in their account and project, and of nothing else', async () => {
    const apps = players.filter((one) => one.accountId !== undefined)
    for (const one of apps) {
      const received = await receiver.until(10, `/${one.mark}`)
      const others = players.filter((other) => other !== one)
      for (const { text } of received) expect(marksOf(text, others)).toEqual([])
      expect(received.some(({ text }) => text.includes(one.mark))).toBe(true)
    }
  })

  it('the operator sees of an account what is its own', async () => {
    for (const one of players) {
      if (one.accountId === undefined) continue
      const others = players.filter(({ accountId, native }) => accountId !== one.accountId && !native)
      for (const what of ['', '/usage', '/users', '/keys']) {
        const answer = await call(`${base}/admin/accounts/${one.accountId}${what}`, { headers: admin })
        expect([what, answer.status]).toEqual([what, 200])
        expect(marksOf(shown(answer), others)).toEqual([])
      }
    }
  })
})
