import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Random } from './random.ts'
import { anyText, careless, damaged, nastyJson } from './values.ts'

/** What the client knows of what it has made, for requests that mean something. */
export interface Known {
  readonly base: URL
  readonly user: string
  readonly secret: string
  /** The operator's key. */
  readonly admin: string
  readonly session: string
  resource: string
  attachment: string
  key: string
}

/** A request in the making: mutations change it in place. */
export interface Draft {
  readonly route: string
  readonly method: string
  /** Encoded segments. */
  segments: string[]
  query: [string, string][]
  headers: [string, string][]
  form?: { boundary: string; parts: DraftPart[]; tail: string; head: string; newline: string }
  json?: Record<string, unknown>
  /** Overrides what form or json would give. */
  body?: Buffer
}

interface DraftPart {
  header: string
  body: Buffer
}

const files = readdirSync('fixtures/files').map((name) => ({ name, bytes: readFileSync(join('fixtures/files', name)) }))
const kinds = ['doc', 'image', 'audio', 'pdf', 'html', 'email']
const encode = (text: string) => encodeURIComponent(text.toWellFormed())

type Make = (known: Known, random: Random) => Omit<Draft, 'route' | 'method' | 'query' | 'headers'>

const filePart = (name: string, random: Random): DraftPart => {
  const file = random.of(files)
  return { header: `Content-Disposition: form-data; name="${name}"; filename="${file.name}"`, body: file.bytes }
}
const fieldPart = (name: string, value: string): DraftPart => ({
  header: `Content-Disposition: form-data; name="${name}"`,
  body: Buffer.from(value),
})
const form = (parts: DraftPart[]) => ({ boundary: 'fuzz-boundary', parts, head: '', tail: '', newline: '\r\n' })

function message(known: Known, content: unknown, random: Random): Record<string, unknown> {
  const role = random.of(['user', 'user', 'assistant', 'tool'])
  return {
    role,
    content,
    ...(role === 'user' && random.isOne(2) && { sender_id: known.user }),
    ...(role === 'tool' && { tool_call_id: 'call_1' }),
    ...(random.isOne(3) && { timestamp: 1_700_000_000_000 + random.below(1e9), sender_name: 'A name' }),
    ...(random.isOne(6) && { tool_calls: [{ id: 'call_1', function: { name: 'f', arguments: '{}' } }] }),
  }
}

/** Every route, with a request that it would take. */
export const makers: Readonly<Record<string, Make>> = {
  'GET /health': () => ({ segments: ['health'] }),
  'GET /ready': () => ({ segments: ['ready'] }),
  'GET /metrics': () => ({ segments: ['metrics'] }),
  'POST /users': (_known, random) => ({ segments: ['users'], json: { user_id: `fuzz_${random.below(2 ** 31)}` } }),
  'POST /users/{user_id}/keys': ({ user }) => ({ segments: ['users', user, 'keys'] }),
  'GET /users/{user_id}/keys': ({ user }) => ({ segments: ['users', user, 'keys'] }),
  'DELETE /users/{user_id}/keys/{key_id}': ({ user, key }) => ({ segments: ['users', user, 'keys', key] }),
  'POST /memories/add/multipart': (known, random) => {
    const ids = ['a', 'b', 'c'].slice(0, random.below(4))
    const content = [{ type: 'text', text: 'Hello' }, ...ids.map((id) => ({ type: random.of(kinds), upload_id: id }))]
    const messages = JSON.stringify([message(known, content, random)])
    const parts = [fieldPart('session_id', known.session), fieldPart('messages', messages)]
    return {
      segments: ['memories', 'add', 'multipart'],
      form: form([...parts, ...ids.map((id) => filePart(id, random))]),
    }
  },
  'POST /memories/add': (known, random) => {
    const inline = () => [{ type: random.of(kinds), base64: random.of(files).bytes.toString('base64'), name: 'a.txt' }]
    const messages = Array.from({ length: 1 + random.below(3) }, () =>
      message(known, random.isOne(4) ? inline() : 'Hello', random),
    )
    return { segments: ['memories', 'add'], json: { session_id: known.session, messages } }
  },
  'POST /memories/flush': ({ session }) => ({ segments: ['memories', 'flush'], json: { session_id: session } }),
  'POST /memories/search': (_known, random) => ({
    segments: ['memories', 'search'],
    json: {
      query: 'harbour',
      scope: ['current_chat', 'resources', 'all_user_memory'].slice(random.below(3)),
      conversation_id: 'fuzz',
      top_k: 1 + random.below(20),
      ...(random.isOne(3) && { min_score: 0.1, from: '2026-01-01T00:00:00Z', to: 1_900_000_000_000 }),
    },
  }),
  'POST /resources': (_known, random) => {
    const fields = random.isOne(2) ? [fieldPart('title', 'A title'), fieldPart('description', 'Words')] : []
    return { segments: ['resources'], form: form([...fields, filePart('file', random)]) }
  },
  'GET /resources': () => ({ segments: ['resources'] }),
  'GET /resources/{resource_id}': ({ resource }) => ({ segments: ['resources', resource] }),
  'PATCH /resources/{resource_id}': ({ resource }) => ({
    segments: ['resources', resource],
    json: { title: 'Another', description: null },
  }),
  'DELETE /resources/{resource_id}': ({ resource }) => ({ segments: ['resources', resource] }),
  'POST /resources/{resource_id}/retry': ({ resource }) => ({ segments: ['resources', resource, 'retry'] }),
  'GET /resources/{resource_id}/content': ({ resource }) => ({ segments: ['resources', resource, 'content'] }),
  'GET /attachments/{attachment_id}/content': ({ attachment }) => ({
    segments: ['attachments', attachment, 'content'],
  }),
  'GET /sessions': () => ({ segments: ['sessions'] }),
  'GET /sessions/{session_id}/messages': ({ session }) => ({ segments: ['sessions', encode(session), 'messages'] }),
  'DELETE /sessions/{session_id}': ({ session }) => ({ segments: ['sessions', encode(session)] }),
  'GET /operations': () => ({ segments: ['operations'] }),
  'POST /operations/{operation_id}/retry': (_known, random) => ({
    segments: ['operations', id('bat', random), 'retry'],
  }),
  // Nobody, so that the client goes on.
  'DELETE /users/{user_id}': (_known, random) => ({ segments: ['users', `nobody_${random.below(2 ** 31)}`] }),
  'GET /erasures/{erasure_id}': (_known, random) => ({ segments: ['erasures', id('era', random)] }),
  'GET /admin/operations': () => ({ segments: ['admin', 'operations'] }),
  'POST /admin/operations/{operation_id}/retry': (_known, random) => ({
    segments: ['admin', 'operations', id('bat', random), 'retry'],
  }),
  'POST /admin/accounts': () => ({ segments: ['admin', 'accounts'], json: { name: 'An account' } }),
  'GET /admin/accounts': () => ({ segments: ['admin', 'accounts'] }),
  'GET /admin/accounts/{account_id}': () => ({ segments: account }),
  'PATCH /admin/accounts/{account_id}': () => ({ segments: account, json: { name: 'Another', plan: null } }),
  'GET /admin/accounts/{account_id}/usage': () => ({ segments: [...account, 'usage'] }),
  'GET /admin/accounts/{account_id}/users': () => ({ segments: [...account, 'users'] }),
  'DELETE /admin/accounts/{account_id}/users': () => ({ segments: [...account, 'users'] }),
  'POST /admin/accounts/{account_id}/keys': () => ({ segments: [...account, 'keys'], json: { name: 'A key' } }),
  'GET /admin/accounts/{account_id}/keys': () => ({ segments: [...account, 'keys'] }),
  'DELETE /admin/accounts/{account_id}/keys/{key_id}': (_known, random) => ({
    segments: [...account, 'keys', id('key', random)],
  }),
  'POST /admin/accounts/{account_id}/keys/{key_id}/rotate': (_known, random) => ({
    segments: [...account, 'keys', id('key', random), 'rotate'],
    json: { grace_seconds: random.below(100) },
  }),
}

const account = ['admin', 'accounts', 'default']
const id = (prefix: string, random: Random) => `${prefix}_${random.below(2 ** 31)}`

export function draftOf(route: string, known: Known, random: Random): Draft {
  const method = route.split(' ')[0] ?? 'GET'
  const headers: [string, string][] = [['Host', known.base.host]]
  const made = makers[route]?.(known, random) ?? { segments: [] }
  const query: [string, string][] = []
  const inBody = random.below(8)
  if (inBody === 0 && made.json) made.json.user_key = known.secret
  else if (inBody === 0 && made.form) made.form.parts.unshift(fieldPart('user_key', known.secret))
  else if (inBody === 1) query.push(['user_id', known.user], ['user_key', known.secret])
  else headers.push(['Authorization', `Bearer ${route.includes(' /admin/') ? known.admin : known.secret}`])
  // Few, so that they come again.
  if (random.isOne(6)) headers.push(['Idempotency-Key', random.of(['a', 'b', 'x'.repeat(300)])])
  if (made.form) headers.push(['Content-Type', `multipart/form-data; boundary=${made.form.boundary}`])
  if (made.json) headers.push(['Content-Type', 'application/json'])
  return { route, method, query, headers, ...made }
}

export type Mutation = (draft: Draft, random: Random) => void

const partMutations: Mutation[] = [
  (draft, random) => draft.form?.parts.splice(random.below(draft.form.parts.length), 1),
  ({ form: sent }, random) => {
    const part = sent && random.of(sent.parts)
    if (part) sent.parts.splice(random.below(sent.parts.length), 0, part)
  },
  ({ form: sent }) => sent?.parts.reverse(),
  ({ form: sent }, random) => sent?.parts.push(filePart(anyText(random), random)),
  ({ form: sent }, random) => sent?.parts.push(fieldPart(anyText(random), anyText(random))),
  ({ form: sent }, random) => {
    for (let more = 50 + random.below(100); more > 0; more--) sent?.parts.push(filePart(`x${more}`, random))
  },
  inPart((part, random) => {
    part.header = part.header.replace(/name="[^"]*"/, () => `name="${anyText(random)}"`)
  }),
  inPart((part, random) => {
    part.header = part.header.replace(/filename="[^"]*"/, () => `filename="${anyText(random)}"`)
  }),
  inPart((part, random) => {
    part.header += `\r\n${random.of([
      `X-Huge: ${'x'.repeat(9_000)}`,
      'X-Many: 1\r\n'.repeat(40).trim(),
      'Content-Transfer-Encoding: base64',
      'Content-Transfer-Encoding: quoted-printable',
      'Content-Type: text/plain; charset=utf-16le',
      'Content-Type: text/plain; charset=nonsense',
      'Content-Type: image/png',
      'Content-Type: multipart/mixed; boundary=inner',
      'Content-Disposition: form-data; name="second"',
      'no colon',
      ': no name',
      ' folded',
      'Content-Type:',
    ])}`
  }),
  inPart((part, random) => {
    part.header = random.of([
      '',
      'Content-Disposition: form-data',
      'Content-Disposition: attachment; filename="a.txt"',
      'Content-Disposition: form-data; name=bare; filename=bare.txt',
      `Content-Disposition: form-data; name="a"; filename*=UTF-8''%e5%9b%be%ff.txt`,
      `Content-Disposition: form-data; name*=UTF-8''a; filename="a.txt"`,
      'Content-Disposition: form-data; name="a',
      'Content-Disposition: form-data; name="a"; name="b"; filename="c"; filename="d"',
      'CONTENT-DISPOSITION: FORM-DATA; NAME="a"; FILENAME="A.TXT"',
      'Content-Type: text/plain',
      anyText(random),
    ])
  }),
  inPart((part, random) => {
    part.body = damaged(part.body, random)
  }),
  inPart((part, random) => {
    part.body = careless(anyText(random), random)
  }),
  inPart((part, random) => {
    part.body = Buffer.from(random.of(nastyJson))
  }),
  inPart((part, random) => {
    part.body = Buffer.concat([
      part.body,
      Buffer.from(`\r\n--fuzz-boundary${random.of(['', '-', '--', ' ', '\r', '\r\n', '--\r\n'])}`),
    ])
  }),
  ({ form: sent }, random) => {
    if (sent) sent.tail = random.of(['\r\n', 'epilogue', '\r\n--fuzz-boundary--', 'x'.repeat(5000), '\0'])
  },
  ({ form: sent }, random) => {
    if (sent) sent.head = random.of(['\r\n', 'preamble\r\n', '--fuzz', '--fuzz-boundary\r\n', '\0'.repeat(100)])
  },
  ({ form: sent }, random) => {
    if (sent) sent.newline = random.of(['\n', '\r', '\r\r\n', ' \r\n', ''])
  },
  ({ form: sent }, random) => {
    if (sent) sent.boundary = random.of(['other', 'fuzz-boundary-', '', 'fuzz-boundary '.repeat(3), 'x'.repeat(300)])
  },
]

function inPart(change: (part: DraftPart, random: Random) => void): Mutation {
  return ({ form: sent }, random) => {
    if (!sent || sent.parts.length === 0) return
    const at = random.below(sent.parts.length)
    const part = { ...random.of(sent.parts) }
    change(part, random)
    sent.parts[at] = part
  }
}

const jsonMutations: Mutation[] = [
  ({ json }, random) => replaceWithin(json, random, () => `\u0001${random.of(nastyJson)}\u0001`),
  ({ json }, random) => replaceWithin(json, random, () => anyText(random)),
  ({ json }, random) => {
    if (json) json[anyText(random)] = random.of([null, 1, 'a', {}, []])
  },
  ({ json }, random) => {
    if (json) delete json[random.of(Object.keys(json))]
  },
  asText((text, random) =>
    text.replace(
      /\{/,
      () => `{"${random.of(['a', 'messages', 'query', '__proto__', 'user_id'])}":${random.of(nastyJson)},`,
    ),
  ),
  asText((text, random) => `${text}${random.of([' ', '}', ',', '\0', text, '//', '\n\n'])}`),
  asText((text, random) => `${random.of(['\ufeff', ' ', '\0', '\u00a0', ')]}\n'])}${text}`),
  asText((_text, random) => random.of(nastyJson)),
  asText((text) => text.replaceAll('"', "'")),
  (draft, random) => {
    draft.body = Buffer.from(textOf(draft), random.of(['utf16le', 'latin1'] as const))
  },
]

/** One of the values somewhere within, replaced. A text between marks becomes JSON as it stands. */
function replaceWithin(json: Record<string, unknown> | undefined, random: Random, make: () => string): void {
  let holder: Record<string, unknown> | undefined = json
  while (holder && Object.keys(holder).length > 0) {
    const name = random.of(Object.keys(holder))
    const inner: unknown = holder[name]
    if (typeof inner !== 'object' || inner === null || random.isOne(4)) {
      holder[name] = make()
      return
    }
    holder = inner as Record<string, unknown>
  }
}

function textOf({ json }: Draft): string {
  return JSON.stringify(json ?? {}).replaceAll(
    /"\\u0001(.*?)\\u0001"/g,
    (_all, raw: string) => JSON.parse(`"${raw}"`) as string,
  )
}

function asText(change: (text: string, random: Random) => string): Mutation {
  return (draft, random) => {
    draft.body = Buffer.from(change(textOf(draft), random))
  }
}

const requestMutations: Mutation[] = [
  (draft, random) => {
    const at = random.below(draft.segments.length)
    if (at > 0)
      draft.segments[at] = random.isOne(3)
        ? random.of(['%', '%zz', '%c0%ae', '%ff', '%00', '%2e', '%2F'])
        : encode(anyText(random))
  },
  (draft, random) =>
    draft.query.push([
      random.of(['cursor', 'limit', 'status', 'app_id', 'user_id', 'user_key', 'a', '__proto__']),
      anyText(random),
    ]),
  (draft, random) =>
    draft.query.push(['limit', random.of(['0', '1', '200', '201', '-1', '1e2', ' 5', '5.5', 'NaN', '0x10'])]),
  (draft, random) => draft.query.push(['cursor', random.bytes(random.below(90)).toString('base64url')]),
  (draft) => {
    draft.headers = draft.headers.filter(([name]) => name !== 'Authorization')
  },
  (draft) => {
    draft.headers = draft.headers.filter(([name]) => name !== 'Content-Type')
  },
  (draft, random) => {
    draft.headers = draft.headers.filter(([name]) => name !== 'Content-Type')
    draft.headers.push([
      'Content-Type',
      random.of([
        'text/plain',
        'application/json; charset=utf-16',
        'application/json;',
        'APPLICATION/JSON',
        'application/vnd.a+json',
        'multipart/form-data',
        'multipart/form-data; boundary=',
        'multipart/form-data; boundary=""',
        'multipart/mixed; boundary=fuzz-boundary',
        'multipart/form-data; boundary="fuzz-boundary"; charset=utf-16',
        'multipart/form-data; boundary=fuzz-boundary; boundary=b',
        `multipart/form-data; boundary=${'x'.repeat(500)}`,
        'multipart/form-data; BOUNDARY=fuzz-boundary',
        ';',
        'x',
      ]),
    ])
  },
  (draft, random) =>
    draft.headers.push(
      random.of<[string, string]>([
        ['Range', 'bytes=0-3'],
        ['Range', 'bytes=-5'],
        ['Range', 'bytes=99999-'],
        ['Range', 'bytes=5-2'],
        ['Range', 'bytes=0-1,3-4'],
        ['Range', `bytes=${'9'.repeat(30)}-`],
        ['If-None-Match', '*'],
        ['If-None-Match', '"a", W/"b"'],
        ['If-Range', '"a"'],
      ]),
    ),
  (draft, random) =>
    draft.headers.push(
      random.of<[string, string]>([
        ['Authorization', 'Bearer'],
        ['Authorization', "Bearer '"],
        ['Authorization', 'Basic YTpi'],
        ['Authorization', 'Bearer uk_wrong'],
        ['X-User-Id', '../a'],
        ['X-User-Id', 'someone'],
        ['X-User-Id', '\xff\xfe'],
        ['X-Request-Id', '<script>'],
        ['X-Request-Id', 'x'.repeat(200)],
        ['Prefer', 'respond-async'],
        ['Prefer', ', ,;=respond-async'],
        ['Origin', 'null'],
        ['Cookie', 'a=b'],
        ['X-Forwarded-Host', 'a'],
        ['Accept', 'application/xml'],
        ['Accept-Encoding', 'gzip'],
        ['Content-Encoding', 'gzip'],
        ['Content-Encoding', 'br, gzip'],
        ['Expect', '100-continue'],
        ['Content-Length-X', '5'],
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['Connection', 'close'],
        ['TE', 'trailers'],
        ['Upgrade', 'h2c'],
        ['Host', 'b'],
      ]),
    ),
  (draft, random) => {
    draft.body = random.bytes(random.below(400))
  },
  (draft, random) => {
    draft.body = damaged(bodyOf(draft), random)
  },
  (draft) => {
    draft.body = gzipSync(bodyOf(draft))
    draft.headers.push(['Content-Encoding', 'gzip'])
  },
  (draft) => {
    draft.body = Buffer.alloc(0)
  },
]

export function bodyOf(draft: Draft): Buffer {
  if (draft.body) return draft.body
  if (draft.json) return Buffer.from(textOf(draft))
  if (!draft.form) return Buffer.alloc(0)
  const { boundary, parts, head, tail, newline } = draft.form
  const pieces = parts.flatMap(({ header, body }) => [
    Buffer.from(`--${boundary}${newline}${header}${newline}${newline}`),
    body,
    Buffer.from(newline),
  ])
  return Buffer.concat([Buffer.from(head), ...pieces, Buffer.from(`--${boundary}--${newline}${tail}`)])
}

/** The changes that may be made to this request, those of its kind of body twice as often as others. */
export function mutationsOf(draft: Draft): readonly Mutation[] {
  if (draft.form) return [...partMutations, ...partMutations, ...requestMutations]
  return draft.json ? [...jsonMutations, ...jsonMutations, ...requestMutations] : requestMutations
}
