import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { issueKey } from '../../src/domain/secret-key.ts'
import { type Answer, createUser, type TestUser } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { type ApiDocument, readApiDocument } from '../helpers/openapi-check.ts'
import { createOwned, type Identity, type Owned, routes, sendTo, unknownIds } from '../helpers/routes.ts'

let gateway: TestGateway
let document: ApiDocument
let owned: Owned
let other: TestUser
let revokedKey: string

const guarded = Object.entries(routes).filter(([, { access }]) => access !== 'anyone')
const withIds = guarded.filter(([, { toOthers }]) => toOthers === 404)
const places = ['header', 'fields'] as const

beforeAll(async () => {
  gateway = await sharedGateway()
  document = await readApiDocument(gateway.url)
  owned = await createOwned(gateway)
  other = await createUser(gateway.url)
  const { body } = await owned.user.post(`/users/${owned.user.id}/keys`)
  await owned.user.delete(`/users/${owned.user.id}/keys/${body.key_id}`)
  revokedKey = body.user_key
})

/** The answer is a refusal in the native envelope, as declared, and shows nothing of the owner's. */
function expectRefusal(route: string, answer: Answer, status: number, code: string) {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status)
  expect(answer.body).toMatchObject({
    error: { code, message: expect.stringMatching(/\S/), request_id: answer.headers.get('x-request-id') },
  })
  document.check(route, answer)
  expectNoSecrets(answer)
}

function expectNoSecrets(answer: Answer) {
  const text = JSON.stringify([answer.body, [...answer.headers]])
  for (const secret of owned.secrets) expect(text).not.toContain(secret)
}

function withoutRequestId({ status, body }: Answer) {
  return { status, error: { ...body.error, request_id: undefined } }
}

it('has every documented route in the table, and no other', () => {
  expect(document.routes.toSorted()).toEqual(Object.keys(routes).toSorted())
})

const notForTheOperator = Object.keys(routes).filter((route) => routes[route]?.access !== 'admin')

describe.each(notForTheOperator)('%s', (route) => {
  const { access, status, prepare } = routes[route]!

  it.each(places)('answers its owner as documented, with the key in the %s', async (place) => {
    const own = await createOwned(gateway)
    await prepare?.(gateway, own.ids)
    const identity: Identity = access === 'user' ? { place, key: own.user.key, userId: own.user.id } : { place }
    const answer = await sendTo(gateway.url, route, own.ids, identity)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    document.check(route, answer)
  })
})

describe.each(guarded)('%s, called by a stranger', (route, { toOthers }) => {
  const strangers: [string, () => Omit<Identity, 'place'>][] = [
    ['no key', () => ({})],
    ["the owner's user_id and no key", () => ({ userId: owned.user.id })],
    ['an unknown key of the right form', () => ({ key: issueKey('uk_').secret, userId: owned.user.id })],
    ['a key of the wrong form', () => ({ key: 'uk_no-key', userId: owned.user.id })],
    ['a key with a wrong checksum', () => ({ key: `${owned.user.key.slice(0, -1)}!`, userId: owned.user.id })],
    ['a revoked key', () => ({ key: revokedKey, userId: owned.user.id })],
    ["another user's key and the owner's user_id", () => ({ key: other.key, userId: owned.user.id })],
    ["the owner's key and another user's user_id", () => ({ key: owned.user.key, userId: other.id })],
  ]

  it.each(strangers.flatMap(([what, identity]) => places.map((place) => ({ what, identity, place }))))(
    'refuses $what in the $place',
    async ({ identity, place }) => {
      const answer = await sendTo(gateway.url, route, owned.ids, { place, ...identity() })
      expectRefusal(route, answer, 401, 'unauthenticated')
    },
  )

  it("shows another user nothing of the owner's who names the owner's ids", async () => {
    const answer = await sendTo(gateway.url, route, owned.ids, { place: 'header', key: other.key })
    document.check(route, answer)
    expectNoSecrets(answer)
    expect(answer.status).toBe(toOthers)
  })
})

describe.each(withIds)("%s with another user's ids", (route) => {
  it.each(places)('answers like for ids that do not exist, with the key in the %s', async (place) => {
    const identity: Identity = { place, key: other.key }
    const foreign = await sendTo(gateway.url, route, owned.ids, identity)
    const unknown = await sendTo(gateway.url, route, unknownIds(), identity)
    expectRefusal(route, foreign, 404, 'not_found')
    expect(withoutRequestId(foreign)).toEqual(withoutRequestId(unknown))
  })
})

it("leaves the owner's things as they were after all that", async () => {
  const { user, ids } = owned
  const { body: resource } = await user.get(`/resources/${ids.resource}`)
  expect(resource).toMatchObject({ title: owned.secrets[2], status: 'extracted' })
  const { body: page } = await user.get(`/sessions/${encodeURIComponent(ids.session)}/messages`)
  expect(page.messages).toHaveLength(1)
  const { body: keys } = await user.get(`/users/${user.id}/keys`)
  expect(keys.keys.map(({ key_id }: { key_id: string }) => key_id)).toContain(ids.key)
  const answer = await other.get('/sessions')
  expect(answer.status).toBe(200)
  expectNoSecrets(answer)
  expect(answer.body.sessions.filter(({ session_id }: { session_id: string }) => session_id === ids.session)).toEqual(
    [],
  )
})

describe('identity', () => {
  it('prefers the key of the header to one in the fields', async () => {
    const answer = await owned.user.get(`/resources?user_key=${other.key}`)
    expect(answer.body.resources).toHaveLength(1)
  })

  it('refuses two names for the user', async () => {
    const answer = await owned.user.get(`/resources?user_id=${owned.user.id}`, { 'x-user-id': other.id })
    expect(answer.status).toBe(401)
  })

  it.each(["Bearer '", 'Bearer', 'Basic dXNlcjpwYXNz', `Bearer ${'x'.repeat(8_000)}`, 'Bearer uk_%00', ''])(
    'refuses the header "%s"',
    async (authorization) => {
      const answer = await other.get('/sessions', { authorization })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    },
  )

  it('answers an unknown route with 404 in the native envelope', async () => {
    const answer = await other.get(`/${randomBytes(4).toString('hex')}`)
    expect(answer.status).toBe(404)
    expect(answer.body.error).toMatchObject({ code: 'not_found', request_id: answer.headers.get('x-request-id') })
  })
})
