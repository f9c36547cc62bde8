import type { PGlite } from '@electric-sql/pglite'

/** Soon after the start: what was written since the last look of an earlier process. */
const FIRST_MS = 1_000
/** How often a server looks, too (`autovacuum_naptime`). */
const NAP_MS = 60_000
/**
 * Rows that a table's statistics are made from: 300 times this. A server takes ten times as many, for which this process would stand
 * still for a second.
 */
const STATISTICS_TARGET = 10

/**
 * Tables with many rows that are dead or not in the statistics, by the thresholds of a server. What a process that died had counted is lost,
 * but for that of a table which has no statistics yet.
 */
const DUE = `
  select format('%I.%I', s.schemaname, s.relname) as name from pg_stat_user_tables s join pg_class c on c.oid = s.relid
  where s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0) or s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
    or (c.reltuples < 0 and pg_relation_size(s.relid) > 0)`

/** Frees the space of dead rows and brings statistics up to date, of all tables that need it; others' queries come in between. */
export async function vacuumChanged(client: PGlite, signal?: AbortSignal): Promise<void> {
  // What this session has counted is else told only when it ends: it is the only one.
  await client.query('select pg_stat_force_next_flush()')
  const { rows } = await client.query<{ name: string }>(DUE)
  for (const { name } of rows) {
    if (signal?.aborted) return
    await client.exec(`vacuum (analyze) ${name}`)
  }
}

/** PGlite has no process beside the one that asks it, hence no autovacuum: this takes its place. Returns what ends it. */
export async function startAutovacuum(client: PGlite, onError: (error: unknown) => void): Promise<() => Promise<void>> {
  await client.query(`set default_statistics_target = ${STATISTICS_TARGET}`)
  const ending = new AbortController()
  let running: Promise<void> | undefined
  const look = () => {
    running ??= vacuumChanged(client, ending.signal)
      .catch(onError)
      .finally(() => {
        running = undefined
      })
  }
  const first = setTimeout(look, FIRST_MS).unref()
  const timer = setInterval(look, NAP_MS).unref()
  return async () => {
    clearTimeout(first)
    clearInterval(timer)
    ending.abort()
    await running
  }
}
