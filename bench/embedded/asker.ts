import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Spread } from './load.ts'
import { openPlace, ownCpuMs, type Place, type PlaceOf } from './place.ts'
import { QUERY_KINDS, type QueryKind, questionOf } from './texts.ts'
import { ownerOfQuestion, WAY_NAMES, type Way, type WayName, waysOf } from './ways.ts'
import { answering } from './worker.ts'

// A process of the benchmark: opens a database, and searches it in several ways, in turns.

export interface AskTask {
  readonly where: PlaceOf
  readonly spread: Spread
  readonly rounds: number
  /** Questions of each kind in a round. */
  readonly questions: Readonly<Record<WayName, number>>
}

/** One way, one round. */
export interface Asked {
  readonly way: WayName
  readonly round: number
  /** Milliseconds of each question. */
  readonly times: readonly { readonly kind: QueryKind; readonly ms: number }[]
  readonly ownCpuMs: number
  readonly serverCpuMs: number
  /** Of the questions whose words are in one turn alone: how often that turn was among the hits. */
  readonly found: number
  readonly findable: number
}

export interface AskResult {
  readonly version: string
  readonly openMs: number
  /** Of this process: at the end, and at most. */
  readonly residentMb: number
  readonly peakMb: number
  /** The longest that this process did nothing else, while the engine searched. */
  readonly stallMs: number
  readonly asked: readonly Asked[]
}

const WARM_UP = 3

answering<AskTask, AskResult>(ask)

async function ask({ where, spread, rounds, questions }: AskTask): Promise<AskResult> {
  const began = performance.now()
  const place = await openPlace(where)
  const openMs = performance.now() - began
  try {
    const ways = waysOf(place)
    const names = WAY_NAMES.filter((name) => questions[name] > 0)
    for (const name of names)
      await askAll(place, ways, { name, spread, round: -1, count: Math.min(WARM_UP, questions[name]) })
    const loop = monitorEventLoopDelay({ resolution: 1 })
    const asked: Asked[] = []
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        if (name === 'engine') loop.enable()
        asked.push(await askAll(place, ways, { name, spread, round, count: questions[name] }))
        loop.disable()
      }
    }
    const { version } = place
    return { version, openMs, residentMb: memoryMb('VmRSS'), peakMb: memoryMb('VmHWM'), stallMs: loop.max / 1e6, asked }
  } finally {
    await place.close()
  }
}

interface Turn {
  readonly name: WayName
  readonly spread: Spread
  readonly round: number
  readonly count: number
}

async function askAll(place: Place, ways: Record<WayName, Way>, { name, spread, round, count }: Turn): Promise<Asked> {
  const times: { kind: QueryKind; ms: number }[] = []
  let [found, findable] = [0, 0]
  const [own, server] = [ownCpuMs(), await place.serverCpuMs()]
  for (let at = 0; at < count; at++) {
    for (const kind of QUERY_KINDS) {
      const question = questionOf(kind, (round + 1) * 1_000 + at, spread.memories)
      const began = performance.now()
      const texts = await ways[name](question, ownerOfQuestion(question, spread.users))
      times.push({ kind, ms: performance.now() - began })
      // PGlite answers within one turn of the loop; in a gateway there is one between two requests.
      await setImmediate()
      if (question.answer === undefined) continue
      findable++
      if (texts.includes(question.answer)) found++
    }
  }
  const serverCpuMs = (await place.serverCpuMs()) - server
  return { way: name, round, times, ownCpuMs: ownCpuMs() - own, serverCpuMs, found, findable }
}

function memoryMb(name: 'VmRSS' | 'VmHWM'): number {
  const kib = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1]
  return Number(kib) / 1_024
}
