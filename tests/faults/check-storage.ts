import { sql } from 'drizzle-orm'
import { attachments } from '../../src/db/schema/attachments.ts'
import { until } from '../helpers/client.ts'
import { type Inspector, listObjects, type Site } from './site.ts'

/** Much of it is waiting for a lease to run out; to look costs a sweep and a list of all objects. */
const LOOK_MS = 1_000

/** Rows and objects against each other; every list should be empty. */
export interface StorageFindings {
  /** Work that has not come to an end, or ended in failure. */
  readonly stuck: string[]
  /** Objects that no stored file names, and rows of files that were never stored or are to be deleted. */
  readonly orphans: string[]
  /** Rows of stored files whose object is not there, or has another size. */
  readonly hollow: string[]
  /** Messages that the backend has not got although it said so, or has although they are gone. */
  readonly relayedWrongly: string[]
}

/** Left by a process that was killed while it tested its store: 1 KiB, of no user. */
const SELF_TEST = 'self-test/'
/** Files on their way into the local store; a start removes those older than an hour. */
const INCOMING = '.incoming/'

/** Waits until all work is done and all orphans are gone, at most `ms`, then compares. Resolves with the milliseconds it took too. */
export async function checkStorage(
  inspector: Inspector,
  settings: Site['settings'],
  ms: number,
): Promise<StorageFindings & { settledAfterMs: number }> {
  const start = Date.now()
  let last = { stuck: [] as string[], orphans: [] as string[] }
  await until(
    async () => {
      await inspector.sweep()
      last = { stuck: await unfinished(inspector), orphans: await orphans(inspector, settings) }
    },
    () => last.stuck.length + last.orphans.length === 0,
    ms,
    LOOK_MS,
  ).catch((error: unknown) => {
    // Too late: the last look says what is left.
    if (last.stuck.length + last.orphans.length === 0) throw error
  })
  const settledAfterMs = Date.now() - start
  const hollow = await hollowRows(inspector, settings)
  return { ...last, hollow, relayedWrongly: await relayedWrongly(inspector), settledAfterMs }
}

/** The column `found` of a query, on either database. */
export async function texts({ services: { db } }: Inspector, query: ReturnType<typeof sql>): Promise<string[]> {
  const result = (await db.execute(query)) as unknown as { rows?: { found: string }[] } & { found: string }[]
  return (result.rows ?? [...result]).map(({ found }) => found)
}

function unfinished(inspector: Inspector): Promise<string[]> {
  return texts(
    inspector,
    sql`
      select 'batch ' || id || ' ' || action || ' ' || state || ' ' || coalesce(reason, '') as found
        from batches where state <> 'relayed'
      union all select 'resource ' || id || ' ' || status from user_resources where status <> 'extracted'
      union all select 'erasure ' || id || ' of a ' || kind from erasures where finished_at is null
      union all select 'erased user ' || id from users where erased_at is not null
      union all select 'session ' || id || ' of ' || erasure_id from sessions where erasure_id is not null`,
  )
}

async function orphans(inspector: Inspector, settings: Site['settings']): Promise<string[]> {
  const rows = await texts(
    inspector,
    sql`select 'attachment ' || id || ' ' || state as found from attachments where state <> 'stored' or message_id is null`,
  )
  const named = new Set(await texts(inspector, sql`select object_key as found from attachments`))
  const objects = [...(await listObjects(settings)).keys()].filter(
    (key) => !named.has(key) && !key.startsWith(SELF_TEST) && !key.startsWith(INCOMING),
  )
  return [...rows, ...objects.map((key) => `object ${key}`)]
}

async function hollowRows({ services: { db } }: Inspector, settings: Site['settings']): Promise<string[]> {
  const rows = await db.select().from(attachments)
  const objects = await listObjects(settings)
  return rows
    .filter(({ state, objectKey, size }) => state === 'stored' && objects.get(objectKey) !== size)
    .map(({ id, objectKey, size }) => `attachment ${id}: ${objects.get(objectKey) ?? 'none'} of ${size} bytes`)
}

/** Of the embedded backend, which keeps what it was given in the same database. */
async function relayedWrongly(inspector: Inspector): Promise<string[]> {
  if (inspector.services.backend.name !== 'embedded') return []
  return texts(
    inspector,
    sql`
      with sent as (
        select m.id, s.upstream_session_id as session, m.upstream_timestamp as at
        from messages m join sessions s on s.id = m.session_id join batches b on b.id = m.batch_id
        where b.state = 'relayed')
      select 'message ' || id || ' is not in the backend' as found from sent
        where not exists (select from engine_messages e where e.session_id = sent.session and e.timestamp = sent.at)
      union all select 'the backend has ' || e.session_id || ' ' || e.timestamp from engine_messages e
        where not exists (select from sent where sent.session = e.session_id and sent.at = e.timestamp)
      union all select 'the backend remembers ' || e.id from engine_memories e
        where not exists (select from sent where sent.session = e.session_id and sent.at = e.timestamp)`,
  )
}
