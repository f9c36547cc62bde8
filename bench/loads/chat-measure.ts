import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Sample } from '../harness/load.ts'
import { type Place, take } from '../harness/rounds.ts'
import type { ChatOptions } from '../requests/chat.ts'

export type ChatWay = Omit<ChatOptions, 'base' | 'isStream' | 'model'>

/** Seconds to warm up, of one chat after the other, and of several at a time. */
export interface Pace {
  readonly warm: number
  readonly alone: number
  readonly together: number
}

const AT_A_TIME = 16

/** Chats of one kind, one after the other for the times, and several at a time for the rate. */
export async function chats(
  bench: Bench,
  place: Place<ChatWay>,
  isStream: boolean,
  pace: Pace,
): Promise<Omit<Sample, 'way' | 'round'>> {
  const seconds = (full: number) => (bench.isQuick ? 0.05 : full)
  const run = (full: number, atATime: number) =>
    take(place, { requests: 'chat', atATime, seconds: seconds(full) }, { isStream })
  await run(pace.warm, AT_A_TIME)
  const { p50, p99, firstP50 } = await run(pace.alone, 1)
  const { perSecond, cpuMs, times } = await run(pace.together, AT_A_TIME)
  const usedMemory = (100 * times.noted) / times.last.length
  const values = { firstP50, p50, p99, perSecond, cpuMs, ...(place.way.options.withThreads && { usedMemory }) }
  return { case: isStream ? 'SSE' : 'JSON', values }
}

/** Streams that come slowly, many side by side: when the first byte of each came. */
export async function slowStreams(bench: Bench, place: Place<ChatWay>, model: string) {
  const streams = bench.isQuick ? 5 : 100
  const task = { requests: 'chat', atATime: streams, count: streams, staggerMs: 10 }
  const { firstP50, p50, p99 } = await take(place, task, { isStream: true, model })
  return { case: `${streams} streams side by side`, values: { firstP50, p50, p99 } }
}

/** So many streams are left in the middle: how many the provider still writes a second later. The server must answer afterwards as before. */
export async function leftStreams(
  bench: Bench,
  place: Place<ChatWay>,
  { model, base, streams }: { model: string; base: string; streams: number },
) {
  const count = bench.isQuick ? 10 : streams
  const { caller, server, way } = place
  const options = { base: server.base, ...way.options, isStream: true, model }
  await caller.run({ requests: 'chat', options, atATime: Math.min(40, count), count, abandon: true })
  await delay(1_000)
  const left = Number(await (await fetch(base)).text())
  await fetch(base, { method: 'DELETE' })
  await take(place, { requests: 'chat', atATime: 1, count: 2 }, { isStream: true })
  return { case: 'streams left in the middle', values: { leftStreams: left } }
}
