import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  BackendError,
  type BackendFile,
  type BackendMessage,
  type BackendSession,
  type ContentKind,
  type MemoryBackend,
  type MemoryHit,
  type SearchRequest,
} from '../../src/ports/memory-backend.ts'

export interface OpenedBackend {
  readonly backend: MemoryBackend
  close(): Promise<void>
}

const id = (prefix: string) => `${prefix}${randomBytes(10).toString('hex')}`
const unique = () => `zq${randomBytes(5).toString('hex')}`

/** A new partition, so that no test sees another's memories. */
function newSession(): BackendSession {
  return { projectId: id('p'), senderId: id('s'), sessionId: id('c') }
}

/** Strictly increasing within the process, one second apart, in the recent past. */
let clock = Date.now() - 86_400_000

function said(session: BackendSession, text: string, extra: Partial<BackendMessage> = {}): BackendMessage {
  clock += 1_000
  const items = [{ type: 'text', text }] as const
  return { role: 'user', senderId: session.senderId, senderName: 'Alice', timestamp: clock, items, ...extra }
}

export function fileOf(kind: ContentKind, ext: string, mimeType: string, bytes: Buffer): BackendFile {
  return {
    kind,
    name: `sample.${ext}`,
    ext,
    mimeType,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: () => Promise.resolve(Readable.from(bytes.length > 0 ? [bytes] : [])),
    presign: () => Promise.resolve(undefined),
  }
}

function query(session: BackendSession, text: string, extra: Partial<SearchRequest> = {}): SearchRequest {
  return { projectId: session.projectId, senderId: session.senderId, query: text, topK: 10, ...extra }
}

/** Searches until it is enough: a backend may index behind a flush. Ends after 45 s with what it has. */
async function searchUntil(
  backend: MemoryBackend,
  request: SearchRequest,
  enough: (hits: readonly MemoryHit[]) => boolean,
): Promise<readonly MemoryHit[]> {
  const deadline = Date.now() + 45_000
  for (;;) {
    const { hits } = await backend.search(request)
    if (enough(hits) || Date.now() > deadline) return hits
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** What is found once the word is among it: a search by meaning finds others' words before. */
async function searchFor(
  backend: MemoryBackend,
  session: BackendSession,
  word: string,
  extra: Partial<SearchRequest> = {},
) {
  return searchUntil(backend, query(session, word, extra), (hits) => textOf(hits).includes(word))
}

const textOf = (hits: readonly MemoryHit[]) => hits.map((hit) => [hit.text, ...hit.facts].join('\n')).join('\n')

/** What every memory backend promises. Holds for one with real models too: texts are found, not compared. */
export function describeMemoryBackend(name: string, open: () => Promise<OpenedBackend>): void {
  describe(`memory backend: ${name}`, { timeout: 120_000 }, () => {
    let backend: MemoryBackend
    let opened: OpenedBackend
    beforeAll(async () => {
      opened = await open()
      backend = opened.backend
    })
    afterAll(async () => {
      await opened?.close()
    })

    async function remember(session: BackendSession, ...messages: BackendMessage[]): Promise<void> {
      await backend.add(session, messages)
      await backend.flush(session)
    }

    describe('remembering', () => {
      it('takes messages, extracts them on flush and finds them', async () => {
        const session = newSession()
        const word = unique()
        const question = said(session, `My favourite restaurant is called ${word}.`)
        const reply = said(session, 'Noted, I will remember it.', {
          role: 'assistant',
          senderId: id('a'),
          senderName: 'Assistant',
        })
        const added = await backend.add(session, [question, reply])
        expect(added).toMatchObject({ messageCount: 2, status: 'accumulated', requestId: expect.stringMatching(/./) })
        expect(await backend.flush(session)).toMatchObject({
          status: 'extracted',
          requestId: expect.stringMatching(/./),
        })

        const hits = await searchFor(backend, session, word)
        expect(textOf(hits)).toContain(word)
        const [hit] = hits
        expect(hit).toMatchObject({ ...session, id: expect.stringMatching(/./) })
        expect(hit?.score).toEqual(expect.any(Number))
        expect(hit?.timestamp).toBeGreaterThanOrEqual(question.timestamp)
        expect(hit?.timestamp).toBeLessThanOrEqual(reply.timestamp)
        for (const { timestamp } of hit?.sources ?? [])
          expect([question.timestamp, reply.timestamp]).toContain(timestamp)
      })

      it('finds what is not flushed as pending, if it says so, and otherwise not at all', async () => {
        const session = newSession()
        const [word, later] = [unique(), unique()]
        await backend.add(session, [said(session, `The lighthouse is called ${word}.`)])
        const before = (await backend.search(query(session, word))).hits
        if (backend.findsUnflushed) {
          expect(textOf(before)).toContain(word)
          for (const hit of before) expect(hit).toMatchObject({ ...session, pending: true })
        } else expect(before).toEqual([])
        await backend.flush(session)
        const after = await searchFor(backend, session, word)
        expect(textOf(after)).toContain(word)
        for (const { pending } of after) expect(pending).toBeUndefined()
        await backend.add(session, [said(session, `The harbour is called ${later}.`)])
        const pending = (await backend.search(query(session, later))).hits.filter((hit) => hit.pending)
        expect(textOf(pending).includes(later)).toBe(backend.findsUnflushed)
        expect(textOf(pending)).not.toContain(word)
      })

      it('finds nothing more to extract when flushed again, or never written to', async () => {
        const session = newSession()
        expect((await backend.flush(session)).status).toBe('no_extraction')
        await remember(session, said(session, 'I moved to Lisbon.'))
        expect((await backend.flush(session)).status).toBe('no_extraction')
      })

      it('goes on with a session after a flush', async () => {
        const session = newSession()
        const [first, second] = [unique(), unique()]
        await remember(session, said(session, `My first dog was called ${first}.`))
        await remember(session, said(session, `My second dog was called ${second}.`))
        expect(textOf(await searchFor(backend, session, first))).toContain(first)
        expect(textOf(await searchFor(backend, session, second))).toContain(second)
      })

      it('takes assistants, tools and their calls', async () => {
        const session = newSession()
        const word = unique()
        const assistant = { role: 'assistant', senderId: id('a'), senderName: 'Assistant' } as const
        const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }
        const messages = [
          said(session, `How is the weather at ${word} lake?`),
          said(session, '', { ...assistant, toolCalls: [call] }),
          said(session, 'rain, 7 degrees', {
            role: 'tool',
            senderId: id('t'),
            senderName: 'weather',
            toolCallId: 'call_1',
          }),
          said(session, `It rains at ${word} lake.`, assistant),
        ]
        expect((await backend.add(session, messages)).messageCount).toBe(4)
        await backend.flush(session)
        expect(textOf(await searchFor(backend, session, word))).toContain(word)
      })

      it('keeps concurrent sessions apart', async () => {
        const first = newSession()
        const sessions = Array.from({ length: 4 }, () => ({ ...first, sessionId: id('c'), word: unique() }))
        await Promise.all(sessions.map((session) => remember(session, said(session, `The code is ${session.word}.`))))
        for (const session of sessions) {
          const hits = await searchFor(backend, session, session.word, { sessionIds: [session.sessionId] })
          expect(textOf(hits)).toContain(session.word)
          for (const other of sessions) if (other !== session) expect(textOf(hits)).not.toContain(other.word)
        }
      })
    })

    describe('scope', () => {
      it('keeps equal session ids in two projects apart, in the buffer and in memory', async () => {
        const mine = newSession()
        const theirs = { ...newSession(), sessionId: mine.sessionId }
        const [secret, other] = [unique(), unique()]
        await backend.add(mine, [said(mine, `The password is ${secret}.`)])
        await remember(theirs, said(theirs, `The weather is ${other}.`))
        expect(textOf(await searchFor(backend, theirs, other))).not.toContain(secret)
        expect((await backend.flush(mine)).status).toBe('extracted')
        expect(textOf(await searchFor(backend, mine, secret))).toContain(secret)
        expect(textOf((await backend.search(query(theirs, secret))).hits)).not.toContain(secret)
      })

      it('does not find a memory as another sender of the same project', async () => {
        const mine = newSession()
        const secret = unique()
        await remember(mine, said(mine, `The vault opens with ${secret}.`))
        expect(textOf(await searchFor(backend, mine, secret))).toContain(secret)
        expect((await backend.search(query({ ...mine, senderId: id('s') }, secret))).hits).toEqual([])
      })

      it('searches only the sessions asked for', async () => {
        const first = newSession()
        const second = { ...first, sessionId: id('c') }
        const word = unique()
        await remember(first, said(first, `I like ${word} with tea.`))
        await remember(second, said(second, `I like ${word} with coffee.`))
        const both = await searchUntil(
          backend,
          query(first, word),
          (hits) => new Set(hits.map((hit) => hit.sessionId)).size === 2,
        )
        expect(new Set(both.map((hit) => hit.sessionId))).toEqual(new Set([first.sessionId, second.sessionId]))
        const one = (await backend.search(query(first, word, { sessionIds: [second.sessionId] }))).hits
        expect(new Set(one.map((hit) => hit.sessionId))).toEqual(new Set([second.sessionId]))
        const many = [...Array.from({ length: 600 }, () => id('c')), first.sessionId]
        const filtered = (await backend.search(query(first, word, { sessionIds: many }))).hits
        expect(new Set(filtered.map((hit) => hit.sessionId))).toEqual(new Set([first.sessionId]))
      })

      it('finds nothing in an unknown partition or session', async () => {
        const session = newSession()
        expect((await backend.search(query(session, 'anything'))).hits).toEqual([])
        await remember(session, said(session, 'I play the cello.'))
        await searchFor(backend, session, 'cello')
        expect((await backend.search(query(session, 'cello', { sessionIds: [id('c')] }))).hits).toEqual([])
      })

      it('limits by time, both ends inclusive', async () => {
        const early = newSession()
        const late = { ...early, sessionId: id('c') }
        const word = unique()
        await remember(early, said(early, `In spring I planted ${word}.`))
        clock += 3_600_000
        await remember(late, said(late, `In autumn I harvested ${word}.`))
        const all = await searchUntil(
          backend,
          query(early, word),
          (hits) => new Set(hits.map((hit) => hit.sessionId)).size === 2,
        )
        const [first, last] = all.map((hit) => hit.timestamp).toSorted((one, other) => one - other)
        const sessions = async (range: Partial<SearchRequest>) =>
          new Set((await backend.search(query(early, word, range))).hits.map((hit) => hit.sessionId))
        expect(await sessions({ from: first ?? 0, to: last ?? 0 })).toEqual(new Set([early.sessionId, late.sessionId]))
        expect(await sessions({ to: (last ?? 0) - 1 })).toEqual(new Set([early.sessionId]))
        expect(await sessions({ from: (first ?? 0) + 1 })).toEqual(new Set([late.sessionId]))
        expect(await sessions({ from: (last ?? 0) + 1 })).toEqual(new Set())
      })
    })

    describe('search', () => {
      it('gives at most topK, best first', async () => {
        const first = newSession()
        const word = unique()
        const sessions = Array.from({ length: 4 }, () => ({ ...first, sessionId: id('c') }))
        for (const [index, session] of sessions.entries())
          await remember(session, said(session, `Note number ${index} on ${word} and its use.`))
        const all = await searchUntil(backend, query(first, word), (hits) => hits.length >= 4)
        expect(all.length).toBeGreaterThanOrEqual(4)
        const scores = all.map((hit) => hit.score)
        expect(scores).toEqual(scores.toSorted((one, other) => other - one))
        expect((await backend.search(query(first, word, { topK: 2 }))).hits).toHaveLength(2)
        expect(new Set(all.map((hit) => hit.id)).size).toBe(all.length)
      })

      it('finds Chinese by Chinese', async () => {
        const session = newSession()
        await remember(session, said(session, '我每个周末都去西湖边跑步，然后喝龙井茶。', { senderName: '小明' }))
        const other = { ...session, sessionId: id('c') }
        await remember(other, said(other, 'Completely unrelated: the printer is broken.'))
        const hits = await searchUntil(
          backend,
          query(session, '西湖跑步'),
          (found) => found[0]?.sessionId === session.sessionId,
        )
        expect(hits[0]?.sessionId).toBe(session.sessionId)
        expect(textOf(hits)).toMatch(/西湖/)
      })
    })

    describe('files', () => {
      const text = (body: string) => Buffer.from(body)

      it('reads text files of several types', async () => {
        const session = newSession()
        const words = { txt: unique(), md: unique(), csv: unique(), json: unique() }
        const files = [
          fileOf('doc', 'txt', 'text/plain', text(`The capital of the island is ${words.txt}.`)),
          fileOf('doc', 'md', 'text/markdown', text(`# Plan\n\nMeet at ${words.md} square.`)),
          fileOf('doc', 'csv', 'text/csv', text(`name,city\nBob,${words.csv}\n`)),
          fileOf('doc', 'json', 'application/json', text(JSON.stringify({ city: words.json }))),
        ]
        const items = files.map((file) => ({ type: 'file', file }) as const)
        await remember(session, said(session, 'My notes.', { items: [{ type: 'text', text: 'My notes.' }, ...items] }))
        for (const word of Object.values(words)) {
          expect(textOf(await searchFor(backend, session, word)), word).toContain(word)
        }
      })

      it('takes every kind in one message, and a message of files alone', async () => {
        const session = newSession()
        const word = unique()
        const kinds = [
          fileOf('image', 'png', 'image/png', readFileSync('tests/simple-multimodal-image.png')),
          fileOf('audio', 'wav', 'audio/wav', readFileSync('tests/simple-tone.wav')),
          fileOf('html', 'html', 'text/html', text(`<!doctype html><h1>Hello</h1><p>The garden of ${word}</p>`)),
          fileOf(
            'email',
            'eml',
            'message/rfc822',
            text(`From: a@example.org\r\nTo: b@example.org\r\nSubject: ${word}\r\n\r\nHello\r\n`),
          ),
        ]
        const items = kinds.map((file) => ({ type: 'file', file }) as const)
        const added = await backend.add(session, [said(session, '', { items }), said(session, `About ${word}.`)])
        expect(added.messageCount).toBe(2)
        expect((await backend.flush(session)).status).toBe('extracted')
        expect(textOf(await searchFor(backend, session, word))).toContain(word)
      })

      it('takes an empty file', async () => {
        const session = newSession()
        const file = fileOf('doc', 'txt', 'text/plain', Buffer.alloc(0))
        const items = [
          { type: 'text', text: 'An empty file.' },
          { type: 'file', file },
        ] as const
        expect((await backend.add(session, [said(session, '', { items })])).messageCount).toBe(1)
      })

      it('keeps nothing of an add whose file is not what it was', async () => {
        const session = newSession()
        const bytes = randomBytes(200_000)
        const good = fileOf('image', 'png', 'image/png', bytes)
        const file = {
          ...good,
          open: () => Promise.resolve(Readable.from([bytes.subarray(0, 199_999), Buffer.from('x')])),
        }
        const message = said(session, '', { items: [{ type: 'file', file }] })
        const error = await backend.add(session, [message]).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(BackendError)
        expect(error).toMatchObject({ outcome: 'not_accepted' })
        expect((await backend.flush(session)).status).toBe('no_extraction')
      })
    })

    describe('after a lost answer', () => {
      it('tells a batch it holds from one it never got', async () => {
        const session = newSession()
        const held = [said(session, 'I collect stamps.'), said(session, 'And coins.')]
        const lost = [said(session, 'And old maps.'), said(session, 'And keys.')]
        const times = (messages: readonly BackendMessage[]) => messages.map((message) => message.timestamp)
        expect(await backend.findMissing(session, times(held))).toEqual(times(held))
        await backend.add(session, held)
        expect(await backend.findMissing(session, times(held))).toEqual([])
        expect(await backend.findMissing(session, times(lost))).toEqual(times(lost))
      })

      it('never calls missing what has become a memory', async () => {
        const session = newSession()
        const word = unique()
        const message = said(session, `My locker is number ${word}.`)
        await remember(session, message)
        await searchFor(backend, session, word)
        expect(await backend.findMissing(session, [message.timestamp])).toEqual([])
      })
    })

    describe('forgetting', () => {
      it('forgets one session, then the whole partition, and what it never knew', async () => {
        const session = newSession()
        const other = { ...session, sessionId: id('c') }
        const [word, kept] = [unique(), unique()]
        await remember(session, said(session, `The old address is ${word} street.`))
        await remember(other, said(other, `The new address is ${kept} street.`))
        await searchFor(backend, session, word)
        await searchFor(backend, session, kept)
        await backend.add(session, [said(session, `And the buffer says ${word}.`)])
        if ((await backend.forget(session)) === 'unsupported') return
        const gone = await searchUntil(backend, query(session, word), (hits) => !textOf(hits).includes(word))
        expect(textOf(gone)).not.toContain(word)
        expect((await backend.flush(session)).status).toBe('no_extraction')
        expect(textOf((await backend.search(query(session, kept))).hits)).toContain(kept)
        const { projectId, senderId } = session
        expect(await backend.forget({ projectId, senderId })).toBe('forgotten')
        expect(await searchUntil(backend, query(session, kept), (hits) => hits.length === 0)).toEqual([])
        expect(await backend.forget(newSession())).toBe('forgotten')
      })
    })

    describe('failures', () => {
      it('rejects every call of an aborted signal with a BackendError', async () => {
        const session = newSession()
        const signal = AbortSignal.abort()
        const calls = [
          backend.add(session, [said(session, 'never')], signal),
          backend.flush(session, signal),
          backend.search(query(session, 'never'), signal),
        ]
        for (const result of await Promise.allSettled(calls)) {
          expect(result).toMatchObject({
            status: 'rejected',
            reason: { name: 'BackendError', outcome: 'not_accepted' },
          })
        }
        expect((await backend.flush(session)).status).toBe('no_extraction')
      })

      it('is healthy, within 2 s', async () => {
        const started = performance.now()
        const health = await backend.health()
        expect(performance.now() - started).toBeLessThan(2_000)
        expect(health).toMatchObject({ status: 'ok', baseUrl: expect.stringMatching(/./), data: expect.any(Object) })
        expect(backend.settleMs).toBeGreaterThanOrEqual(0)
      })
    })
  })
}
