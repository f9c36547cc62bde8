import { currentRecord, listRecords } from '../../domain/observations/records.ts'
import { shownObservations } from '../../domain/observations/shown-observations.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { toRecord, toThread } from './mapping.ts'
import { beginRequest, identifyReader, pathThread, readQuery } from './request.ts'
import { HistoryQuery } from './schemas.ts'

const OBSERVATIONS = '/v1/memory/threads/:thread_id/observations'

/** What the Observer wrote of a thread. */
export function observationRoutes(router: DialectRouter): void {
  router.on('GET', slashed(OBSERVATIONS), text)
  router.on('GET', slashed(`${OBSERVATIONS}/record`), record)
  router.on('GET', slashed(`${OBSERVATIONS}/history`), history)
}

async function text(c: HttpContext): Promise<Response> {
  const { ctx, thread } = await pathThread(c, await beginRequest(c, await identifyReader(c)))
  const shown = await shownObservations(ctx.services.db, thread, thread.id)
  return c.json({ observations: shown?.observations || null })
}

async function record(c: HttpContext): Promise<Response> {
  const { ctx, thread, resourceId } = await pathThread(c, await beginRequest(c, await identifyReader(c)))
  const current = await currentRecord(ctx, thread)
  return c.json({ record: current ? toRecord(toThread(thread, resourceId), current) : null })
}

async function history(c: HttpContext): Promise<Response> {
  const sender = await identifyReader(c)
  const page = readQuery(c, HistoryQuery)
  const { ctx, thread, resourceId } = await pathThread(c, await beginRequest(c, sender))
  const records = await listRecords(ctx, thread, page)
  return c.json({ records: records.map((shown) => toRecord(toThread(thread, resourceId), shown)) })
}
