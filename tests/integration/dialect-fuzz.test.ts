import { afterAll, beforeAll, expect, it } from 'vitest'
import { Random, seedOf } from '../faults/fuzz/random.ts'
import { nastyJson, nastyTexts } from '../faults/fuzz/values.ts'
import { type DialectOwner, makeDialectOwner } from '../helpers/dialect-owner.ts'
import { guardedRoutes } from '../helpers/dialect-routes.ts'
import { serveEcho } from '../helpers/echo-model.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { isLong, seed } from '../helpers/seed.ts'

const COUNT = Number(process.env.DIALECT_FUZZ ?? (isLong ? 30_000 : 300))
/** An owner's things are used up by requests that would delete them. */
const PER_OWNER = 300
const AT_ONCE = 4
const HANG_MS = 25_000

let gateway: TestGateway
let base: string
let close: () => Promise<void>

beforeAll(async () => {
  gateway = await sharedGateway()
  const served = await serveEcho(gateway)
  base = served.url
  close = served.close
})
afterAll(() => close())

const times = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+14:00',
  '9999-12-31T23:59:59-14:00',
  '2024-02-30T00:00:00Z',
  '2024-01-01',
  '+275760-09-13T00:00:00.000Z',
  '2999-01-01T00:00:00Z',
]
const numbers =
  '0 -1 1.5 0.1 1e-320 2147483648 -2147483649 4294967296 9007199254740991 9007199254740993 1e308 1e400'.split(' ')
/** Names that JavaScript's objects have. */
const names = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'then']

/** Texts that something behind the dialects may take for a time, a number, a name or a pattern. */
const texts = [
  ...nastyTexts,
  ...times,
  '99999999999999999999',
  '9007199254740991',
  '9999999999999999',
  '2147483648',
  'Infinity',
  'NaN',
  '0x10',
  '1e3',
  'self',
  'all',
  'erased:x',
  'user',
  'human',
  '{{memories}}',
  `I love ${'a'.repeat(5_000)}`,
  'I like tea. '.repeat(3_000),
  '我喜欢喝茶'.repeat(500),
  ' '.repeat(5_000),
  '{'.repeat(5_000),
  'https://hooks.example.com/x',
  'http://127.0.0.1/',
  'h_1',
  '1-2',
  Buffer.from(JSON.stringify([9_007_199_254_740_991, 'a'])).toString('base64url'),
  Buffer.from(JSON.stringify([-9_007_199_254_740_991, 'a'])).toString('base64url'),
  Buffer.from(JSON.stringify([1, 'a\0b'])).toString('base64url'),
  Buffer.from(JSON.stringify([1e300, 'a'])).toString('base64url'),
]
/** As they stand in a JSON text. */
const values = [
  ...nastyJson.filter((text) => text.length < 50_000),
  ...texts.map((text) => JSON.stringify(text)),
  ...numbers,
  '[1,"a",null]',
  '[9007199254740991]',
]
/** Fields that some route of a dialect takes. */
const fields =
  'content text external_user_id user_id end_user_id metadata query limit offset k top_k similarity_threshold message conversation_id max_age_days min_importance max_memories archive_only dry_run name messages role agent_id agent_name agent_type team_id session_id cursor order memory_type min_confidence include_embedding mode hard memory_ids include_team include_project confidence format created_at timeWindowDays analysisDepth minPatternStrength check_redundancy consolidation_frequency reflection_enabled source event_type tags ttl_minutes importance deduplicate client_ref items filters weights traversal_depth since until before after tier include_summaries sources prompt_template recall_k max_tokens lossless to_memory_id relationship_type signal comment content_types relation_types route include_reasoning max_memories decision_id winning_memory_id depth memory_id tenant_id speaker occurred_at prompt types turns extract payload seq idempotency_key ids delete_derived_facts namespace namespace_prefix prefix max_depth key keys value replace_derived_facts url events project_id description retry_config signature_config event_type since_minutes statuses page page_size status_filter endpoint_id key_ids resourceId title id newThreadId options from to __proto__ constructor'.split(
    ' ',
  )

/** More fields of routes, that every second request has too: each is looked at only where it is. */
const more: Readonly<Record<string, object>> = {
  'POST /v1/memory/threads': { id: 'a thread', title: 'x', metadata: { a: 1 } },
  'PATCH /v1/memory/threads/:thread_id': { resourceId: 'x', metadata: { note: 'x', deep: { list: [1, null] } } },
  'POST /v1/memory/threads/:thread_id/clone': {
    newThreadId: 'a clone',
    title: 'x',
    metadata: { a: 1 },
    options: {
      messageLimit: 2,
      messageFilter: { startDate: '2024-01-01T00:00:00Z', endDate: '2999-01-01T00:00:00Z', messageIds: ['msg_1'] },
    },
  },
  'POST /v1/memory': { metadata: { note: 'x', deep: { list: [1, true, null] } } },
  'POST /v1/chat': { top_k: 3, conversation_id: 'c' },
  'POST /api/v1/memories': {
    metadata: { note: 'x' },
    agent_id: 'a',
    team_id: 't',
    session_id: 's',
    conversation_id: 'c',
    agent_type: 'x',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'I love tea' },
          { type: 'document', data: 'aGVsbG8=', name: 'a.txt' },
        ],
      },
      { role: 'assistant', content: { type: 'text', text: 'Tea is fine' } },
    ],
  },
  'PATCH /api/v1/memories/:memory_id': { content: 'x', memory_type: 'fact', metadata: { a: 1 } },
  'POST /api/v1/memories/import': {
    memories: [
      { content: 'x', memory_type: 'fact', confidence: 0.5, metadata: {}, created_at: '2024-01-01T00:00:00Z' },
    ],
  },
  'POST /api/v1/memories/export': { format: 'csv', user_id: 'self', cursor: null },
  'POST /api/v1/memories/reflect': { timeWindowDays: 7, analysisDepth: 'deep', dryRun: true, minPatternStrength: 0.5 },
  'POST /api/v1/auto-maintenance/config': { consolidation_enabled: true, consolidation_frequency: 'daily' },
  'POST /memory/add': {
    source: 'chat',
    event_type: 'x',
    tags: ['a', 'b'],
    ttl_minutes: 5,
    importance: 0.5,
    metadata: { a: 1 },
    deduplicate: true,
    memory_type: 'fact',
    session_id: 's',
    client_ref: 'r',
  },
  'POST /memory/query': {
    k: 5,
    filters: { tags: ['a'], source: 'x', memory_type: 'fact', since: '2024-01-01', until: '2999-01-01', tier: 'hot' },
    weights: { semantic: 1, importance: 0.5, recency: 2 },
    traversal_depth: 2,
  },
  'POST /memory/compose': { recall_k: 5, max_tokens: 100 },
  'DELETE /memory/forget': {
    memory_ids: null,
    filters: { source: 'x', tags: ['a'], before: '2024-01-01T00:00:00', after: '2023-01-01' },
    dry_run: true,
    reason: 'x',
  },
  'POST /memory/:id{[0-9]+}/relations': { confidence: 0.5, metadata: { a: 1 } },
  'POST /memory/:id{[0-9]+}/feedback': { comment: 'x' },
  'POST /v1/memory/add_turn': {
    role: 'user',
    speaker: 'user@x',
    occurred_at: '2024-01-01T00:00:00Z',
    metadata: { session_id: 's', role: 'user' },
    source: 'chat',
  },
  'POST /v1/memory/recall': { types: ['fact'], k: 3 },
  'POST /v1/history/append': {
    source: 'api',
    turns: [
      {
        role: 'user',
        content: 'x',
        seq: 1,
        occurred_at: '2024-01-01T00:00:00Z',
        payload: { a: [1] },
        idempotency_key: 'k',
      },
      { role: 'tool', content: 'y', seq: 2, payload: 'text' },
    ],
    metadata: { a: 1 },
  },
  'POST /v1/history/list': { source: 'api', limit: 5 },
  'POST /v1/state/put': { text: 'I own a boat', extract: true, replace_derived_facts: true, metadata: { a: 1 } },
  'POST /v1/state/list': { namespace_prefix: ['mine'], limit: 5, offset: 0 },
  'POST /v1/state/search': { namespace_prefix: ['mine'], limit: 5 },
  'POST /v1/state/namespaces': { prefix: ['mine'], max_depth: 1, limit: 5, offset: 0 },
  'POST /org/webhooks': {
    description: 'x',
    retry_config: { enabled: true, max_retries: 2, initial_delay_seconds: 2, retry_status_codes: ['5xx'] },
    signature_config: { algorithm: 'hmac-sha512', header_name: 'X-A', timestamp_header: 'X-B', tolerance_seconds: 60 },
  },
  'PATCH /org/webhooks/:id{[0-9]+}': { url: 'https://hooks.example.com/y', retry_config: { backoff_multiplier: 2.5 } },
  'POST /org/webhooks/:id{[0-9]+}/replay': { since_minutes: 5, statuses: ['failed'], limit: 5 },
}

interface Draft {
  readonly route: string
  path: string
  headers: Record<string, string>
  body: string | FormData | undefined
}

/** What a field of such a value may take for one of its own. */
function kin(value: string): readonly string[] {
  if (/^"\d{4}-/.test(value)) return times.map((time) => JSON.stringify(time))
  if (/^"[a-z]{1,12}"$/.test(value)) return [...names, 'a\0b', '\ud800'].map((name) => JSON.stringify(name))
  return value.startsWith('"') ? texts.map((text) => JSON.stringify(text)) : numbers
}

/** A JSON text with one of its values replaced, or one more field. */
function bent(body: string, random: Random): string {
  const places = [...body.matchAll(/"(?:[^"\\]|\\.)*"(?!\s*:)|-?\d[\d.e+-]*|true|false|null/g)]
  const place = random.isOne(3) || places.length === 0 ? undefined : random.of(places)
  if (place) {
    const value = random.isOne(3) ? random.of(values) : random.of(kin(place[0]))
    return body.slice(0, place.index) + value + body.slice(place.index + place[0].length)
  }
  const opens = [...body.matchAll(/\{/g)]
  if (opens.length === 0) return body
  const at = random.of(opens).index + 1
  const field = `"${random.of(fields)}":${random.of(values)}`
  return `${body.slice(0, at)}${field}${body[at] === '}' ? '' : ','}${body.slice(at)}`
}

function mutate(draft: Draft, random: Random): void {
  const kind = random.below(10)
  if (kind < 6 && typeof draft.body === 'string') {
    draft.body = bent(draft.body, random)
  } else if (kind === 6) {
    const [path = '', query] = draft.path.split('?')
    const segments = path.split('/')
    segments[1 + random.below(segments.length - 1)] = encodeURIComponent(random.of(texts).toWellFormed()).slice(0, 900)
    draft.path = segments.join('/') + (query === undefined ? '' : `?${query}`)
  } else if (kind === 7) {
    draft.headers[
      random.of(['x-end-user-id', 'x-project-id', 'x-resource-id', 'idempotency-key', 'content-type', 'range'])
    ] = Buffer.from(
      random
        .of(texts)
        .slice(0, 300)
        .replaceAll(/[\0\r\n]/g, '%'),
    ).toString('latin1')
  } else if (kind === 8 && typeof draft.body === 'string' && random.isOne(3)) {
    draft.body = random.of(values)
  } else {
    const value = random.of(texts).slice(0, 2_000).toWellFormed()
    draft.path += `${draft.path.includes('?') ? '&' : '?'}${random.of(fields)}=${encodeURIComponent(value)}`
  }
}

function build(number: number, owner: DialectOwner): Draft {
  const random = new Random(seedOf(seed, number))
  const route = random.of(random.isOne(2) ? Object.keys(more) : Object.keys(guardedRoutes))
  const { dialect, request } = guardedRoutes[route]!
  const { path, body: plain } = request(owner.ids)
  const isFull = typeof plain === 'object' && !(plain instanceof FormData) && random.isOne(2)
  const body = isFull ? { ...plain, ...more[route] } : plain
  const draft: Draft = {
    route,
    path,
    headers:
      dialect === 'sync'
        ? { 'x-api-key': owner.apiKey, 'x-project-id': owner.project }
        : { authorization: `Bearer ${owner.projectKey}` },
    body: body === undefined || body instanceof FormData ? body : JSON.stringify(body),
  }
  if (dialect === 'sync' && !path.startsWith('/v1/')) draft.headers['x-end-user-id'] = owner.ids.endUser
  if (typeof draft.body === 'string') draft.headers['content-type'] = 'application/json'
  for (let count = 1 + random.below(3); count > 0; count--) mutate(draft, random)
  return draft
}

/** Why the answer is none that may be given; undefined if it may. */
async function faultOf({ route, path, headers, body }: Draft): Promise<string | undefined> {
  const method = route.split(' ')[0] ?? ''
  const given = method === 'GET' ? undefined : body
  try {
    const init = { method, headers, ...(given !== undefined && { body: given }), signal: AbortSignal.timeout(HANG_MS) }
    const response = await fetch(base + path, init)
    const text = await response.text()
    if (response.status >= 500 && response.status !== 501) return `${response.status} ${text.slice(0, 300)}`
    if (/params:|at \w+ \(file:|postgres/.test(text) && response.status >= 400) return `shows too much: ${text}`
    return undefined
  } catch (error) {
    return String(error)
  }
}

it(
  `answers ${COUNT} requests that are nearly right, none with a fault of its own (seed ${seed})`,
  async () => {
    const faults: string[] = []
    for (let start = 0; start < COUNT; start += PER_OWNER) {
      const owner = await makeDialectOwner(gateway, base)
      const numbers = Array.from({ length: Math.min(PER_OWNER, COUNT - start) }, (_, index) => start + index)
      const worker = async () => {
        for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
          const draft = build(number, owner)
          const fault = await faultOf(draft)
          if (fault === undefined) continue
          const body = typeof draft.body === 'string' ? draft.body.slice(0, 500) : ''
          faults.push(
            `${number}: ${draft.route} ${draft.path.slice(0, 300)} ${JSON.stringify(draft.headers).slice(0, 400)} ${body}\n  ${fault}`,
          )
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
    }
    expect(faults, `FAULTS_SEED=${seed}`).toEqual([])
  },
  COUNT * 200 + 60_000,
)
