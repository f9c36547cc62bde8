import type { BackendSession } from '../../../ports/memory-backend.ts'
import type { EverosClient } from './client.ts'
import { jsonBody } from './request-body.ts'
import { getAnswer, searchAnswer } from './wire.ts'

/**
 * Rests on two facts of the server: an add is taken whole or not at all, and a memory bears the time of the last message
 * it was made from. So what was taken is in the buffer, or in a memory that is not older, or lost: a flush, and an add
 * that cuts the buffer's older part off, empties the buffer before its models write the memory, and does not put back
 * what they failed at. What only assistants said makes no memory, and looks lost too.
 * Only rows of the session itself count: another's of the same time would make a lost message look safe.
 */
export async function findMissing(
  client: EverosClient,
  prefix: string,
  session: BackendSession,
  timestamps: readonly number[],
  options: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<readonly number[]> {
  const scope = { user_id: session.senderId, app_id: 'default', project_id: session.projectId }
  const isOfSession = (row: { project_id: string; session_id?: string | null | undefined }) =>
    row.project_id === session.projectId && row.session_id === session.sessionId
  const buffer = await client.post(searchAnswer, {
    path: `${prefix}/search`,
    body: jsonBody({ ...scope, query: '-', method: 'keyword', top_k: 1, filters: { session_id: session.sessionId } }),
    shortened: true,
    ...options,
  })
  const buffered = new Set(buffer.data.unprocessed_messages.filter(isOfSession).map((message) => message.timestamp))
  const unbuffered = timestamps.filter((timestamp) => !buffered.has(timestamp))
  if (unbuffered.length === 0) return []
  const latest = await client.post(getAnswer, {
    path: `${prefix}/get`,
    body: jsonBody({
      ...scope,
      memory_type: 'episode',
      page: 1,
      page_size: 1,
      sort_by: 'timestamp',
      sort_order: 'desc',
      filters: { session_id: session.sessionId },
    }),
    ...options,
  })
  const own = latest.data.episodes.filter((row) => isOfSession(row) && row.user_id === session.senderId)
  const newest = Math.max(...own.map(({ timestamp }) => timestamp), Number.NEGATIVE_INFINITY)
  return unbuffered.filter((timestamp) => timestamp > newest)
}
