import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { type Answer, call } from '../helpers/client.ts'
import { addPlan } from '../helpers/dialects.ts'
import { serve, sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { memoryNotes } from '../helpers/memory-notes/index.ts'
import { makeAccount } from '../helpers/service.ts'

const FOLDER = 'tests/helpers/memory-notes'
const GUIDE = 'docs/adding-a-dialect.md'

let gateway: TestGateway
let served: Awaited<ReturnType<typeof serve>>
beforeAll(async () => {
  gateway = await sharedGateway()
  const app = createApp(gateway.services)
  app.route('/', memoryNotes(gateway.services.limits))
  served = await serve(gateway.services, app)
})
afterAll(() => served.close())

interface Sender {
  readonly add: (note: string, person?: string, more?: Record<string, string>) => Promise<Answer>
  readonly find: (words: string, person?: string) => Promise<Answer>
}

async function sender(key: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Sender> {
  const { apiKey } = await makeAccount(gateway, key)
  return senderWith(apiKey, headers)
}

function senderWith(apiKey: string, headers: Record<string, string> = {}): Sender {
  const all = { 'x-notes-key': apiKey, ...headers }
  return {
    add: (note, person = 'ada', more = {}) =>
      call(`${served.url}/notes/add`, {
        method: 'POST',
        headers: { ...all, ...more },
        body: JSON.stringify({ person, note, colour: 'red' }),
      }),
    find: (words, person = 'ada') =>
      call(`${served.url}/notes/find/?${new URLSearchParams({ words, person }).toString()}`, { headers: all }),
  }
}

const notesOf = ({ body }: Answer) => body.notes.map(({ note }: { note: string }) => note)

describe('the dialect of the guide', () => {
  it('stores notes and finds them', async () => {
    const me = await sender()
    const added = await me.add('The tortoise eats dandelions.')
    expect(added.status).toBe(201)
    const { body } = await me.find('dandelions')
    expect(body.notes).toEqual([{ ...added.body.notes[0], rank: expect.any(Number) }])
  })

  it('keeps people, projects and accounts apart', async () => {
    const { apiKey } = await makeAccount(gateway)
    const me = senderWith(apiKey, { 'x-notes-book': 'garden' })
    await me.add('The tortoise eats dandelions.')
    const stranger = await sender({}, { 'x-notes-book': 'garden' })
    const others = [me.find('dandelions', 'bob'), senderWith(apiKey).find('dandelions'), stranger.find('dandelions')]
    for (const other of await Promise.all(others)) expect(notesOf(other)).toEqual([])
    expect(notesOf(await me.find('dandelions'))).toHaveLength(1)
  })

  it('stores once what is sent twice under one Idempotency-Key', async () => {
    const me = await sender()
    const first = await me.add('The tortoise eats dandelions.', 'ada', { 'idempotency-key': 'note-1' })
    const second = await me.add('The tortoise eats dandelions.', 'ada', { 'idempotency-key': 'note-1' })
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(notesOf(await me.find('dandelions'))).toHaveLength(1)
  })

  it('holds to the plan, and tells how much is left', async () => {
    const me = await sender({ plan: addPlan(gateway, 'one-note', { addsPerMonth: 1 }) })
    const added = await me.add('The tortoise eats dandelions.')
    expect(added.headers.get('x-ratelimit-remaining')).toBe('0')
    const refused = await me.add('The tortoise sleeps.')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0')
  })

  it('has errors of its own', async () => {
    const me = await sender()
    const { apiKey } = await makeAccount(gateway, { scopes: ['read'] })
    const answers = [
      await senderWith('mgk_live_wrong').find('dandelions'),
      await senderWith(apiKey).add('The tortoise sleeps.'),
      await me.add(''),
      await call(`${served.url}/notes/no-such-route`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 422, 404])
    for (const { body } of answers) expect(body).toEqual({ problem: expect.stringMatching(/\S/) })
  })
})

describe('the guide', () => {
  const text = readFileSync(GUIDE, 'utf8')

  it.each(readdirSync(FOLDER))('has %s as it is', (file) => {
    const source = readFileSync(join(FOLDER, file), 'utf8').replaceAll('../../../src/', '../../')
    expect(text).toContain(`\`src/dialects/memory-notes/${file}\`:\n\n\`\`\`ts\n${source}\`\`\`\n`)
  })

  it('names files that there are', () => {
    const paths = [...text.matchAll(/`((?:src|tests|docs|fixtures)\/[\w./-]+)`/g)].map(([, path]) => path ?? '')
    const own = paths.filter((path) => !path.includes('memory-notes'))
    expect(own.length).toBeGreaterThan(5)
    expect(own.filter((path) => !existsSync(path))).toEqual([])
  })
})
