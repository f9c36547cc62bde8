import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { fieldParts, multipartBody, multipartType, type Part } from '../helpers/multipart.ts'
import { rawRequest } from '../helpers/raw-request.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

let gateway: TestGateway
let user: TestUser
let headers: Record<string, string>

beforeAll(async () => {
  gateway = await sharedGateway()
  user = await createUser(gateway.url)
  headers = { 'content-type': multipartType, authorization: `Bearer ${user.key}` }
})

const ADD = '/memories/add/multipart'
const KEY = /^[0-9a-f]{2}\/[0-9a-f]{40}$/

function send(body: Uint8Array, more: Record<string, string> = {}) {
  return rawRequest(gateway.url + ADD, { headers: { ...headers, ...more }, body })
}

function messagesFor(ids: readonly string[], session = 'chat:1'): Part[] {
  const content = [{ type: 'text', text: 'x' }, ...ids.map((upload_id) => ({ type: 'doc', upload_id }))]
  return fieldParts({ session_id: session, messages: JSON.stringify([{ role: 'user', content }]) })
}

const filePart = (name: string, fileName = 'a.txt'): Part => ({ name, fileName, body: 'x' })

/** All multisets of up to `most` of the letters, each in order. */
function multisets(letters: readonly string[], most: number): string[][] {
  if (most === 0 || letters.length === 0) return [[]]
  const [first, ...rest] = letters as [string, ...string[]]
  const withFirst = multisets(letters, most - 1).map((set) => [first, ...set])
  return [...multisets(rest, most), ...withFirst]
}

/** What the rules of the upload ids say: each used once, each sent once, and the two the same. */
function expectedDetails(ids: readonly string[], parts: readonly string[]): Record<string, string[]> {
  const repeated = (list: readonly string[]) => [...new Set(list.filter((id, at) => list.indexOf(id) !== at))]
  const without = (list: readonly string[], other: readonly string[]) => [
    ...new Set(list.filter((id) => !other.includes(id))),
  ]
  const faults = {
    duplicate_upload_ids: repeated(ids),
    duplicate_files: repeated(parts),
    missing_files: without(ids, parts),
    unreferenced_files: without(parts, ids),
  }
  return Object.fromEntries(Object.entries(faults).filter(([, found]) => found.length > 0))
}

describe('upload ids and file parts', () => {
  it('are taken when they match one to one, else refused with those at fault: all multisets of up to 4', async () => {
    const pairs = multisets(['a', 'b', 'c', 'd'], 4).flatMap((ids) =>
      // The ids' letters may be exchanged without making another case, so the first of each shape stands for all.
      ids.join('') === canonical(ids) ? multisets(['a', 'b', 'c', 'd'], 4).map((parts) => ({ ids, parts })) : [],
    )
    expect(pairs.length).toBeGreaterThan(300)
    const check = async ({ ids, parts }: { ids: string[]; parts: string[] }) => {
      const answer = await send(multipartBody([...parts.map((id) => filePart(id)), ...messagesFor(ids)]))
      const details = expectedDetails(ids, parts)
      const label = `${ids.join('')} against ${parts.join('')}`
      if (Object.keys(details).length === 0) expect(answer?.status, label).toBe(200)
      else {
        expect(answer?.status, label).toBe(422)
        expect(answer?.body.error.details, label).toEqual(details)
      }
    }
    for (let at = 0; at < pairs.length; at += 4) await Promise.all(pairs.slice(at, at + 4).map(check))
  })
})

/** The multiset's shape: its letters renamed in the order of how often they occur. */
function canonical(ids: readonly string[]): string {
  const counts = [...new Set(ids)].map((id) => ids.filter((other) => other === id).length)
  return counts
    .toSorted((one, other) => other - one)
    .map((count, index) => 'abcd'.charAt(index).repeat(count))
    .join('')
}

const nasty = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'prototype',
    'hasOwnProperty',
    '../../../etc/passwd',
    '..\\..\\windows',
    '/etc/passwd',
    'C:\\a',
    '%2e%2e%2f',
    '%00',
    '%0d%0aSet-Cookie: a=b',
    'a\r\nSet-Cookie: a=b',
    'a\0b',
    '\ud800',
    'a\udfff',
    '\u202egpj.exe',
    'a[]',
    'a[b]',
    'a.b',
    '"',
    'a"; filename="b',
    '\ufeff',
    'ﷺ',
    '🦫',
    ' ',
    '.',
    '..',
    'messages',
    'user_key',
    'session_id',
    'x'.repeat(201),
    '长'.repeat(100),
    'x'.repeat(10_000),
    "'; drop table users; --",
    '{{7*7}}',
    '${jndi:ldap://x}',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 12 }),
)

function expectSane(answer: Awaited<ReturnType<typeof send>>) {
  expect(answer?.status, JSON.stringify(answer?.body)).toBeGreaterThanOrEqual(200)
  expect(answer?.status, JSON.stringify(answer?.body)).toBeLessThan(500)
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
}

describe('whatever a caller names things', () => {
  it('no request fails inside, and only keys of our own reach the store', async () => {
    const check = async (id: string, fileName: string, session: string, name: string) => {
      const content = [{ type: 'doc', upload_id: id, name }]
      const messages = JSON.stringify([{ role: 'user', content }])
      const parts = [...fieldParts({ session_id: session, messages }), filePart(id, fileName)]
      expectSane(await send(multipartBody(parts)))
      const path = (of: string) => encodeURIComponent(of.toWellFormed()).replaceAll('.', '%2E')
      expectSane(await user.get(`/sessions/${path(session)}/messages`))
      expectSane(await user.get(`/resources/${path(id)}`))
      expectSane(await user.delete(`/users/${path(name)}/keys/${path(id)}`))
      expectSane(await user.get(`/resources?app_id=${path(id)}&cursor=${path(name)}`))
    }
    await fc.assert(fc.asyncProperty(nasty, nasty, nasty, nasty, check), { numRuns: 80 })
    const strange = objectKeys(gateway).filter((key) => !KEY.test(key))
    expect(strange).toEqual([])
  })

  it('no JSON body fails inside', async () => {
    const check = async (body: unknown, key: string, text: string) => {
      const polluting = JSON.parse(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`) as object
      for (const candidate of [
        body,
        { ...polluting, user_id: text },
        { user_id: text, [key]: body },
        { query: text, scope: body, session_id: key },
        { session_id: key, app_id: text, messages: body },
        { session_id: key, messages: [{ role: 'user', content: text, tool_calls: [{ [key]: body }] }] },
      ]) {
        for (const path of ['/users', '/memories/add', '/memories/search', '/memories/flush']) {
          expectSane(await user.post(path, candidate))
        }
      }
    }
    await fc.assert(fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), nasty, nasty, check), { numRuns: 10 })
  })

  it('no percent-encoding in a path or query fails inside', async () => {
    for (const bad of ['%', '%E0%A4%A', '%ff', '%00', '%c0%ae', '%2e%2e%2f', '%ud800', '%zz']) {
      for (const path of [
        `/sessions/${bad}/messages`,
        `/resources/${bad}`,
        `/users/${bad}/keys`,
        `/sessions?cursor=${bad}`,
      ]) {
        expectSane(await rawRequest(gateway.url + path, { method: 'GET', headers }))
      }
    }
  })
})

describe('a broken multipart body', () => {
  let whole: Buffer

  beforeAll(() => {
    whole = multipartBody([
      ...messagesFor(['a', 'b']),
      { name: 'a', fileName: 'a.txt', type: 'text/plain', body: 'word '.repeat(300) },
      { name: 'b', fileName: 'b.txt', body: '--\r\n\r\n--'.repeat(100) },
    ])
  })

  /** What was not accepted left nothing, and what was accepted is whole. */
  async function expectAllOrNothing(owner: TestUser, answer: Awaited<ReturnType<typeof send>>, at: string) {
    const isTaken = answer !== undefined && answer.status < 300
    expect(answer === undefined || answer.status < 500, `${at}: ${JSON.stringify(answer?.body)}`).toBe(true)
    if (!isTaken) expect(await rowsOf(gateway, owner), at).toEqual(noRows)
  }

  it('cut at any 1/64 is refused (400), and nothing is kept', async () => {
    const owner = await createUser(gateway.url)
    const before = objectKeys(gateway)
    const authorization = `Bearer ${owner.key}`
    for (let part = 0; part < 64; part++) {
      const answer = await send(whole.subarray(0, Math.floor((whole.length * part) / 64)), { authorization })
      expect(answer?.status, `cut at ${part}/64`).toBe(400)
    }
    expect(await rowsOf(gateway, owner)).toEqual(noRows)
    expect(objectKeys(gateway)).toEqual(before)
  })

  it('whose connection breaks at any 1/64 leaves nothing', async () => {
    const owner = await createUser(gateway.url)
    const before = objectKeys(gateway)
    const cut = (part: number) =>
      rawRequest(gateway.url + ADD, {
        headers: { ...headers, authorization: `Bearer ${owner.key}` },
        body: whole,
        cutAfter: Math.floor((whole.length * part) / 64),
      })
    for (let part = 0; part < 64; part += 4) await Promise.all([0, 1, 2, 3].map((more) => cut(part + more)))
    expect(await rowsOf(gateway, owner)).toEqual(noRows)
    expect(objectKeys(gateway)).toEqual(before)
  })

  it('with bytes changed, left out or doubled anywhere is answered at once, and kept whole or not at all', async () => {
    const change = fc.record({
      at: fc.nat(whole.length - 1),
      remove: fc.nat(60),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc
          .constantFrom('\r\n', '\r\n\r\n', '--', '------gateway-test-boundary', '"', '\0', ';', '=')
          .map((text) => Buffer.from(text)),
      ),
    })
    const check = async (changes: { at: number; remove: number; insert: Uint8Array }[]) => {
      const owner = await createUser(gateway.url)
      let body = whole
      for (const { at, remove, insert } of changes) {
        body = Buffer.concat([body.subarray(0, at), insert, body.subarray(at + remove)])
      }
      const answer = await send(body, { authorization: `Bearer ${owner.key}` })
      await expectAllOrNothing(owner, answer, 'changed')
    }
    await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), check), { numRuns: 80 })
  })

  it('of any bytes at all is refused', async () => {
    const check = async (body: Uint8Array, type: string) => {
      const answer = await send(body, { 'content-type': `multipart/form-data; boundary=${type}` })
      expect([400, 415, 422]).toContain(answer?.status)
    }
    const boundary = fc.constantFrom('x', '"x y"', '""', 'x'.repeat(200), '-', '--', "';", 'a;b')
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), boundary, check), { numRuns: 60 })
  })
})
