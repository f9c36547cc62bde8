import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import postgres from 'postgres'
import type { AddResult, AddTask } from './embedded/adder.ts'
import type { AskResult, AskTask } from './embedded/asker.ts'
import type { FillTask } from './embedded/filler.ts'
import type { Sizes, Spread } from './embedded/load.ts'
import type { PlaceOf } from './embedded/place.ts'
import { plansOf } from './embedded/plans.ts'
import { type Filled, reportOf, type Taken } from './embedded/report.ts'
import { ask } from './embedded/worker.ts'

// What the embedded engine does in a second, and how its searches grow with what it remembers: beside a ts_rank query over to_tsvector with a GIN index, and a
// sequential scan, on the same texts. Filling, adding and asking are processes of their own.
//   node bench/embedded.ts [sizes…]            PGlite; default: 10000 100000 1000000 (PGlite: those up to 100,000)
//   DATABASE_URL=postgres://… node bench/embedded.ts   and PostgreSQL, in databases of its own that are dropped at the end
//   BENCH_ONLY=postgres|pglite  BENCH_PGLITE_MOST=1000000  BENCH_ROUNDS=3

const SIZES = process.argv.slice(2).map(Number)
const sizes = SIZES.length > 0 ? SIZES : [10_000, 100_000, 1_000_000]
const { DATABASE_URL: server, BENCH_ONLY: only } = process.env
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const PGLITE_MOST = Number(process.env.BENCH_PGLITE_MOST ?? 100_000)
const RESULTS = 'bench/results/embedded.md'
const USERS = [1, 1_000]
/** Of each kind in a round. */
const QUESTIONS = { engine: 6, ts_rank: 1, 'sequential scan': 1 }
const SESSIONS_ADDED = 40

const takes: Taken[] = []
const fills: Filled[] = []
const plans: string[] = []
if (server && only !== 'pglite') {
  for (const atATime of [1, 8]) await onPostgres(server, (where) => addOn(where, atATime))
  for (const memories of sizes)
    for (const users of USERS) await onPostgres(server, (where) => searchOn(where, { memories, users }))
}
if (only !== 'postgres') {
  await onPglite((where) => addOn(where, 1))
  for (const memories of sizes) {
    if (memories <= PGLITE_MOST)
      for (const users of USERS) await onPglite((where) => searchOn(where, { memories, users }))
  }
}
const report = reportOf({ takes, fills, plans, settings: server ? await settingsOf(server) : '' })
process.stdout.write(report)
if (!only && SIZES.length === 0) {
  mkdirSync(dirname(RESULTS), { recursive: true })
  writeFileSync(RESULTS, report)
}

async function addOn(where: PlaceOf, atATime: number): Promise<void> {
  await ask<FillTask, undefined>('filler', { where, spread: undefined })
  const task: AddTask = { where, rounds: ROUNDS, sessions: SESSIONS_ADDED, atATime }
  const result = await ask<AddTask, AddResult>('adder', task)
  takes.push({ kind: where.kind, atATime, result })
  progress(`${where.kind}: added, ${atATime} at a time`)
}

async function searchOn(where: PlaceOf, spread: Spread): Promise<void> {
  const began = performance.now()
  const sizesOnDisk = await ask<FillTask, Sizes>('filler', { where, spread })
  const fillMs = performance.now() - began
  progress(
    `${where.kind}: ${spread.memories} memories of ${spread.users} filled in after ${Math.round(fillMs / 1000)} s`,
  )
  const result = await ask<AskTask, AskResult>('asker', { where, spread, rounds: ROUNDS, questions: QUESTIONS })
  fills.push({ kind: where.kind, spread, fillMs, sizes: sizesOnDisk, result })
  if (where.kind === 'postgres' && spread.memories === Math.max(...sizes)) plans.push(await plansOf(where, spread))
  progress(`${where.kind}: ${spread.memories} memories of ${spread.users} searched`)
}

async function onPostgres(address: string, work: (where: PlaceOf) => Promise<void>): Promise<void> {
  const name = `gateway_bench_${process.pid}`
  const run = async (statement: string) => {
    const sql = postgres(address, { max: 1, onnotice: () => {} })
    await sql.unsafe(statement)
    await sql.end()
  }
  await run(`create database ${name}`)
  try {
    const url = new URL(address)
    url.pathname = `/${name}`
    await work({ kind: 'postgres', url: url.href })
  } finally {
    await run(`drop database ${name} with (force)`)
  }
}

async function onPglite(work: (where: PlaceOf) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  try {
    await work({ kind: 'pglite', dataDir })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function settingsOf(address: string): Promise<string> {
  const sql = postgres(address, { max: 1, onnotice: () => {} })
  const [row] = await sql<
    { version: string; buffers: string; memory: string; jit: string }[]
  >`select current_setting('server_version') as version,
    current_setting('shared_buffers') as buffers, current_setting('work_mem') as memory, current_setting('jit') as jit`
  await sql.end()
  return `PostgreSQL ${row?.version} with shared_buffers ${row?.buffers}, work_mem ${row?.memory}, jit ${row?.jit}`
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
