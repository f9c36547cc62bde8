import { readdirSync } from 'node:fs'
import { eq, sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/db/database.ts'
import { attachments } from '../../src/db/schema/attachments.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { searchMemory } from '../../src/domain/search/search-memory.ts'
import { beginExchange } from '../../src/domain/threads/exchange.ts'
import { flushThread } from '../../src/domain/threads/flush-thread.ts'
import { listThreadMessages } from '../../src/domain/threads/list-thread-messages.ts'
import { OpenExchanges } from '../../src/domain/threads/open-exchanges.ts'
import { findThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext, ThreadRow } from '../../src/domain/threads/thread-context.ts'
import { picture, tone, until } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { systemContextOf } from '../helpers/service.ts'
import {
  contentOf,
  exchange,
  inlineFile,
  newResource,
  newThread,
  objectsOf,
  said,
  withServices,
} from '../helpers/threads.ts'

let gateway: TestGateway
let ctx: ThreadContext
let thread: ThreadRow

beforeAll(async () => {
  gateway = await sharedGateway()
})
beforeEach(async () => {
  ctx = await newResource(gateway)
  thread = await newThread(ctx)
})

function spooled(): string[] {
  return readdirSync(gateway.services.config.spoolDir)
}

async function counted(name: string, reason?: string): Promise<number> {
  const metric = await gateway.services.metrics.registry.getSingleMetricAsString(name)
  const labels = reason === undefined ? '' : `{reason="${reason}"}`
  return Number(new RegExp(`^${name}${labels} (\\d+)`, 'm').exec(metric)?.[1] ?? 0)
}

/** A database whose transactions are spoilt, one after the other, as said. */
function spoiltDatabase(db: Database, ...spoils: ('well' | 'away' | 'answer lost')[]): Database {
  const lost = () => Object.assign(new Error('the connection is gone'), { code: 'ECONNRESET' })
  const transaction: Database['transaction'] = async (...args) => {
    const spoil = spoils.shift()
    if (spoil === 'away') throw lost()
    const result = await db.transaction(...args)
    if (spoil === 'answer lost') throw lost()
    return result
  }
  return new Proxy(db, { get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name)) })
}

describe('an exchange', () => {
  it('stores the new turns and the answer in order, with placeholders and files', async () => {
    const call = { id: 'call_1', name: 'look', arguments: '{"at":"map"}' }
    const turns = [
      said('user', 'Look:', inlineFile(picture, 'map.png'), inlineFile(tone, undefined, 'audio')),
      { ...said('assistant'), toolCalls: [call] },
      { ...said('tool', 'A harbour.'), toolCallId: 'call_1' },
    ]
    await exchange(ctx, thread, turns, said('assistant', 'I see a harbour.'))
    expect(await contentOf(ctx, thread)).toEqual([
      { role: 'user', text: 'Look:\n[Image #1: map.png]\n[Audio #1]', files: ['map.png', 'audio_1.wav'] },
      { role: 'assistant', text: '', files: [] },
      { role: 'tool', text: 'A harbour.', files: [] },
      { role: 'assistant', text: 'I see a harbour.', files: [] },
    ])
    const page = { limit: 10, offset: 0, order: 'asc' } as const
    const { messages } = await listThreadMessages(ctx, await findThread(ctx, thread.externalId), page)
    expect(messages[0]).toMatchObject({ senderId: ctx.caller.externalUserId, metadata: null })
    expect(messages[0]?.tokens).toBeGreaterThan(100)
    expect(messages[1]?.toolCalls).toEqual([
      { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"map"}' } },
    ])
    expect(messages[2]?.toolCallId).toBe('call_1')
    expect(messages[3]?.metadata).toEqual({ model: 'test/model', finish_reason: 'stop' })
    expect(spooled()).toEqual([])
  })

  it('is found by a search soon, without anybody flushing the thread', async () => {
    await exchange(ctx, thread, [said('user', 'My boat is called Marigold.')])
    const found = await until(
      () => searchMemory(ctx, { query: 'Marigold' }),
      ({ results }) => results.length > 0,
    )
    expect(found.results[0]?.session).toMatchObject({ kind: 'thread', externalId: `thread:${thread.externalId}` })
  })

  it('is stored once, however often it is finished, and keeps nothing once it was abandoned', async () => {
    const before = await counted('gateway_exchanges_stored_total')
    const once = beginExchange(ctx, thread, [said('user', 'One.')])
    await Promise.all([once.finish(said('assistant', 'Yes.'), {}), once.finish(said('assistant', 'No.'), {})])
    await once.abandon()
    const dropped = beginExchange(ctx, thread, [said('user', 'Two.', inlineFile(picture))])
    await dropped.abandon()
    await dropped.finish(said('assistant', 'Late.'), {})
    expect((await contentOf(ctx, thread)).map(({ text }) => text)).toEqual(['One.', 'Yes.'])
    expect(spooled()).toEqual([])
    expect((await objectsOf(ctx)).files).toBe(0)
    expect(await counted('gateway_exchanges_stored_total')).toBe(before + 1)
  })

  it('goes on when its client has left', async () => {
    const client = new AbortController()
    const left = beginExchange({ ...ctx, signal: client.signal }, thread, [
      said('user', 'Wait', inlineFile(picture, 'p')),
    ])
    client.abort()
    await left.finish(undefined, {})
    expect(await contentOf(ctx, thread)).toEqual([{ role: 'user', text: 'Wait\n[Image #1: p]', files: ['p'] }])
  })

  it('stores two exchanges of a thread each whole, in the order in which they end', async () => {
    const first = beginExchange(ctx, thread, [said('user', 'A?')])
    const second = beginExchange(ctx, thread, [said('user', 'B?')])
    await second.finish(said('assistant', 'B!'), {})
    await first.finish(said('assistant', 'A!'), {})
    const both = ['C', 'D'].map((name) =>
      exchange(ctx, thread, [said('user', `${name}?`)], said('assistant', `${name}!`)),
    )
    await Promise.all(both)
    const texts = (await contentOf(ctx, thread)).map(({ text }) => text).join(' ')
    expect(texts).toMatch(/^B\? B! A\? A! (C\? C! D\? D!|D\? D! C\? C!)$/)
  })

  it('stores a long history in batches of the size that a backend takes', async () => {
    const small = withServices(ctx, { limits: { ...ctx.services.limits, messages: 2 } })
    await exchange(
      small,
      thread,
      [said('user', '1'), said('assistant', '2'), said('user', '3')],
      said('assistant', '4'),
    )
    expect((await contentOf(ctx, thread)).map(({ text }) => text)).toEqual(['1', '2', '3', '4'])
    const adds = await gateway.services.db.$count(
      batches,
      sql`${batches.userId} = ${ctx.caller.userId} and ${batches.action} = 'add'`,
    )
    expect(adds).toBe(2)
  })
})

it('an exchange of more turns than anybody has is stored from its end', async () => {
  const turns = Array.from({ length: 2_010 }, (_, index) => said('user', `number ${index}`))
  await beginExchange(ctx, thread, turns).finish(said('assistant', 'So many!'), { model: 'test/model' })
  const stored = await findThread(ctx, thread.externalId)
  const { messages, total } = await listThreadMessages(ctx, stored, { limit: 1, offset: 0, order: 'asc' })
  expect([total, messages[0]?.content]).toEqual([2_001, [expect.objectContaining({ text: 'number 10' })]])
})

describe('a file of an exchange', () => {
  it.each([
    ['unsupported', inlineFile(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), 'x.bin', 'doc')],
    ['damaged', inlineFile(picture.subarray(0, 20), 'cut.png')],
    ['not_base64', { type: 'file', kind: 'image', base64: 'no*base64', name: 'x.png' }],
    ['too_large', inlineFile(new Uint8Array(2_000_000), 'big.png')],
  ] as const)('that is %s leaves its placeholder, and the chat is stored', async (reason, part) => {
    const before = await counted('gateway_chat_files_not_kept_total', reason)
    const narrow = withServices(ctx, { limits: { ...ctx.services.limits, fileBytes: 1_000_000 } })
    await exchange(narrow, thread, [said('user', 'See', part, inlineFile(picture, 'good.png'))])
    const [message] = await contentOf(ctx, thread)
    expect(message?.text).toContain(`#1: ${part.type === 'file' ? part.name : ''}]`)
    expect(message?.files).toEqual(['good.png'])
    expect(await counted('gateway_chat_files_not_kept_total', reason)).toBe(before + 1)
  })

  it('is named as in its placeholder when one before it was left out', async () => {
    await exchange(ctx, thread, [said('user', inlineFile(new Uint8Array([0, 1, 2])), inlineFile(picture))])
    const [file] = await gateway.services.db.select().from(attachments).where(eq(attachments.userId, ctx.caller.userId))
    expect(file).toMatchObject({ uploadId: 'image_2', name: 'image_2.png' })
  })

  it('over the number that one request may have is left out', async () => {
    const narrow = withServices(ctx, { limits: { ...ctx.services.limits, files: 1 } })
    await exchange(narrow, thread, [said('user', inlineFile(picture, 'a.png'), inlineFile(tone, 'b.wav', 'audio'))])
    expect((await contentOf(ctx, thread))[0]?.files).toEqual(['a.png'])
  })

  it('waits for a place among the uploads of its user', async () => {
    const { uploads, limits } = gateway.services
    const taken = Array.from({ length: limits.uploadsPerUser }, () => uploads.enterAs(ctx.caller.userId))
    const waiting = exchange(ctx, thread, [said('user', inlineFile(picture, 'a.png'))])
    for (const place of taken) place[Symbol.dispose]()
    await waiting
    expect((await contentOf(ctx, thread))[0]?.files).toEqual(['a.png'])
  })

  it('is taken in the alphabets and forms that providers take', async () => {
    const base64 = Buffer.from(tone).toString('base64')
    const forms = [
      base64.replaceAll(/.{76}/g, '$&\r\n'),
      base64.replaceAll('=', ''),
      Buffer.from(tone).toString('base64url'),
    ]
    const parts = forms.map((form) => ({ type: 'file' as const, kind: 'audio' as const, base64: form }))
    await exchange(ctx, thread, [said('user', ...parts)])
    const rows = await gateway.services.db.select().from(attachments).where(eq(attachments.userId, ctx.caller.userId))
    expect(rows.map(({ size }) => size)).toEqual([tone.length, tone.length, tone.length])
    expect(new Set(rows.map(({ sha256 }) => sha256)).size).toBe(1)
  })
})

describe('when it cannot be stored at once', () => {
  it('is stored as soon as the database is back, exactly once though a commit was not heard of', async () => {
    const { db } = gateway.services
    // Of the first attempt that gets through, the answer to the commit is lost: intent, then messages.
    const shaky = withServices(ctx, { db: spoiltDatabase(db, 'away', 'away') })
    const turns = [said('user', 'Once', inlineFile(picture, 'p.png'))]
    await exchange(shaky, thread, turns, said('assistant', 'Only.'))
    const deaf = withServices(ctx, { db: spoiltDatabase(db, 'answer lost', 'away', 'away') })
    await exchange(deaf, thread, [said('user', 'Twice?')], said('assistant', 'No.'))
    expect((await contentOf(ctx, thread)).map(({ text }) => text)).toEqual([
      'Once\n[Image #1: p.png]',
      'Only.',
      'Twice?',
      'No.',
    ])
    expect((await objectsOf(ctx)).missing).toEqual([])
  })

  it.each(['away', 'answer lost'] as const)(
    'has its files still when the database was %s behind their objects',
    async (how) => {
      // Of the first attempt the intent is stored and the object put; then the transaction of the messages is spoilt.
      const late = withServices(ctx, { db: spoiltDatabase(gateway.services.db, 'well', how) })
      await exchange(late, thread, [said('user', 'Keep', inlineFile(picture, 'kept.png'))], said('assistant', 'Kept.'))
      expect(await contentOf(ctx, thread)).toEqual([
        { role: 'user', text: 'Keep\n[Image #1: kept.png]', files: ['kept.png'] },
        { role: 'assistant', text: 'Kept.', files: [] },
      ])
      expect((await objectsOf(ctx)).missing).toEqual([])
      expect(spooled()).toEqual([])
    },
  )

  it('is given up, logged and counted when the process ends, and its caller never hears of an error', async () => {
    const before = await counted('gateway_exchanges_not_stored_total', 'failed')
    const exchanges = new OpenExchanges()
    const away = spoiltDatabase(gateway.services.db, ...Array.from({ length: 100 }, () => 'away' as const))
    const begun = beginExchange(withServices(ctx, { db: away, exchanges }), thread, [said('user', 'Lost.')])
    let isOver = false
    const finished = begun.finish(undefined, {}).then(() => {
      isOver = true
    })
    await exchanges.end()
    expect(isOver).toBe(true)
    await finished
    expect(await counted('gateway_exchanges_not_stored_total', 'failed')).toBe(before + 1)
    expect(await contentOf(ctx, thread)).toEqual([])
  })

  it('has a process that ends wait until it is stored', async () => {
    const exchanges = new OpenExchanges()
    const begun = beginExchange(withServices(ctx, { exchanges }), thread, [said('user', 'Just in time.')])
    const ended = exchanges.end()
    void begun.finish(undefined, {})
    await ended
    expect(await contentOf(ctx, thread)).toHaveLength(1)
  })
})

describe('with a backend that extracts by itself', () => {
  it('is flushed once nothing more is said', async () => {
    const { db, backend } = gateway.services
    const unasked = new Proxy(backend, {
      get: (target, name) => name === 'findsUnflushed' || Reflect.get(target, name),
    })
    await exchange(withServices(ctx, { backend: unasked }), thread, [said('user', 'Hello.')])
    const { sessionId } = await findThread(ctx, thread.externalId)
    const flushes = () => db.$count(batches, sql`${batches.sessionId} = ${sessionId} and ${batches.action} = 'flush'`)
    expect(await flushes()).toBe(0)
    const isQueued = sql`name = 'flush-thread' and state = 'created' and singleton_key = ${sessionId}`
    const queued = () => db.select({ n: sql<number>`count(*)::int` }).from(sql`pgboss.job`).where(isQueued)
    expect(await queued()).toEqual([{ n: 1 }])

    const system = systemContextOf(gateway)
    await flushThread(system, sessionId ?? '')
    expect(await flushes()).toBe(0)
    await db
      .update(sessions)
      .set({ lastActivityAt: sql`now() - interval '11 minutes'` })
      .where(eq(sessions.id, sessionId ?? ''))
    await flushThread(system, sessionId ?? '')
    await flushThread(system, sessionId ?? '')
    expect(await flushes()).toBe(1)
  })
})
