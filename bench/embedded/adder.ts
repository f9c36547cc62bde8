import { monitorEventLoopDelay } from 'node:perf_hooks'
import { sql } from 'drizzle-orm'
import type { BackendMessage, BackendSession } from '../../src/ports/memory-backend.ts'
import { ownerOf } from './load.ts'
import { openPlace, ownCpuMs, type Place, type PlaceOf } from './place.ts'
import { SESSION_TURNS, turnOf } from './texts.ts'
import { answering } from './worker.ts'

// A process of the benchmark: gives conversations to the engine, and to a plain table with a full-text index, in turns.

export interface AddTask {
  readonly where: PlaceOf
  readonly rounds: number
  /** Of each way in a round. */
  readonly sessions: number
  /** Sessions that are added side by side. */
  readonly atATime: number
}

/** One way, one round. */
export interface Added {
  readonly way: 'engine' | 'plain insert'
  readonly round: number
  readonly turns: number
  readonly ms: number
  readonly ownCpuMs: number
  readonly serverCpuMs: number
}

export interface AddResult {
  readonly added: readonly Added[]
  /** The longest that this process did nothing else, while the engine worked. */
  readonly stallMs: number
  /** Bytes on disk for each memory, as indexes are that have grown row by row. */
  readonly bytesPerMemory: number
}

const TOTAL = 1_000_000

answering<AddTask, AddResult>(addAll)

async function addAll({ where, rounds, sessions, atATime }: AddTask): Promise<AddResult> {
  const place = await openPlace(where)
  try {
    const loop = monitorEventLoopDelay({ resolution: 1 })
    const ways = { engine: addSession, 'plain insert': insertSession }
    const added: Added[] = []
    for (let round = -1; round < rounds; round++) {
      const names = ['engine', 'plain insert'] as const
      for (const way of round % 2 === 0 ? names : names.toReversed()) {
        if (way === 'engine' && round >= 0) loop.enable()
        const first = (round + 1) * sessions
        const [own, server, began] = [ownCpuMs(), await place.serverCpuMs(), performance.now()]
        await eachOf(sessions, atATime, (at) => ways[way](place, first + at))
        const ms = performance.now() - began
        loop.disable()
        const serverCpuMs = (await place.serverCpuMs()) - server
        const turns = sessions * SESSION_TURNS
        if (round >= 0) added.push({ way, round, turns, ms, ownCpuMs: ownCpuMs() - own, serverCpuMs })
      }
    }
    return { added, stallMs: loop.max / 1e6, bytesPerMemory: await bytesPerMemory(place) }
  } finally {
    await place.close()
  }
}

async function eachOf(count: number, atATime: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}

const turnsOf = (session: number) =>
  Array.from({ length: SESSION_TURNS }, (_, place) => turnOf(session * SESSION_TURNS + place, TOTAL))

/** As a gateway does it: a request with a turn and its answer each, then a flush. */
async function addSession({ backend }: Place, number: number): Promise<void> {
  const session: BackendSession = { ...ownerOf(number % 10), sessionId: `s_bench_session_${number}` }
  const messages = turnsOf(number).map(
    ({ speaker, isUser, timestamp, text }): BackendMessage => ({
      role: isUser ? 'user' : 'assistant',
      senderId: isUser ? session.senderId : 'bench_assistant',
      senderName: speaker,
      timestamp,
      items: [{ type: 'text', text }],
    }),
  )
  for (let at = 0; at < messages.length; at += 2) await backend.add(session, messages.slice(at, at + 2))
  await backend.flush(session)
}

/** The same commits, each of two rows whose vector PostgreSQL makes. */
async function insertSession({ db }: Place, number: number): Promise<void> {
  const turns = turnsOf(number)
  const { senderId } = ownerOf(number % 10)
  for (let at = 0; at < turns.length; at += 2) {
    const rows = turns
      .slice(at, at + 2)
      .map(({ text }, place) => sql`(${`${number}-${at + place}`}, ${senderId}, ${text})`)
    await db.execute(sql`insert into plain (id, owner, body) values ${sql.join(rows, sql`, `)}`)
  }
}

async function bytesPerMemory({ run }: Place): Promise<number> {
  const [row] =
    await run(`select (pg_total_relation_size('engine_memories') + pg_total_relation_size('engine_messages'))::float8
    / greatest(1, (select count(*) from engine_memories)) as bytes`)
  return Number(row?.bytes)
}
