import { sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import type { Owner } from '../context.ts'
import type { NewMessage } from './queries.ts'

const insertStatement = preparedOn((db) => {
  const [userId, sessionId, batchId] = [
    sql.placeholder('userId'),
    sql.placeholder('sessionId'),
    sql.placeholder('batchId'),
  ]
  const moved = db.$with('moved', { id: sql`id` }).as(
    sql`update sessions set last_upstream_timestamp = ${sql.placeholder('last')}
      where user_id = ${userId} and id = ${sessionId} returning id`,
  )
  const made = db.$with('made', { id: sql`id` }).as(
    sql`insert into messages (id, user_id, session_id, batch_id, position, role, sender_id, sender_name, "timestamp",
        upstream_timestamp, content, tool_calls, tool_call_id, tokens, metadata)
      select m.id, ${userId}, ${sessionId}, ${batchId}, m.position, m.role, m.sender_id, m.sender_name, m."timestamp",
        m.upstream_timestamp, m.content, m.tool_calls, m.tool_call_id, m.tokens, m.metadata
        from jsonb_populate_recordset(null::messages, ${sql.placeholder('messages')}::jsonb) m
      returning id`,
  )
  return db.with(moved, made).select({ one: sql<number>`1` }).from(sql`(select 1) as one`).prepare('insert_messages')
})

/** Messages of a batch in their order, and the session's last upstream timestamp, which is that of the last of them. */
export async function insertMessages(
  tx: Database,
  owner: Owner,
  place: { sessionId: string; batchId: string },
  rows: readonly NewMessage[],
): Promise<void> {
  const last = rows.at(-1)?.upstreamTimestamp ?? 0
  await insertStatement(tx).execute({
    ...place,
    userId: owner.userId,
    last,
    messages: JSON.stringify(rows.map(asColumns)),
  })
}

function asColumns({ senderId, senderName, upstreamTimestamp, toolCalls, toolCallId, ...rest }: NewMessage) {
  return {
    ...rest,
    sender_id: senderId,
    sender_name: senderName,
    upstream_timestamp: upstreamTimestamp,
    tool_calls: toolCalls,
    tool_call_id: toolCallId,
  }
}
