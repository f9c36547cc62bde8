import type { AddResult, FlushResult } from '../../ports/memory-backend.ts'
import type { SpoolSession } from '../attachments/spool.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { refusedByBackend } from '../relay/refusal.ts'
import { decodeInlineFiles } from './decode-inline-files.ts'
import { discardRejected } from './discard-batch.ts'
import { ensureScope } from './ensure-scope.ts'
import { fileItems, matchUploads, resolveContent, type Upload } from './resolve-content.ts'
import { AddMessagesInput, type MessageInput } from './schemas.ts'
import { type StoredAttachment, storeBatch } from './store-batch.ts'

export interface AddedMessages {
  readonly sessionId: string
  readonly messageIds: readonly string[]
  readonly attachments: readonly StoredAttachment[]
  /** The backend's answer; undefined if the messages are durable here and wait to be relayed. */
  readonly answer: AddResult | FlushResult | undefined
}

/** Messages whose files came as multipart fields. */
export async function addUploadedMessages(
  ctx: Context,
  input: unknown,
  uploads: readonly Upload[],
): Promise<AddedMessages> {
  const parsed = parseMessages(ctx, input)
  const items = fileItems(parsed.messages)
  refuseItems(ctx, parsed.messages, 'base64')
  matchUploads(
    items,
    uploads.map(({ uploadId }) => uploadId),
  )
  return addMessages(ctx, parsed, new Map(uploads.map((upload) => [upload.uploadId, upload])))
}

/** Messages whose files, if any, came inline as base64. */
export async function addInlineMessages(ctx: Context, input: unknown, spool: SpoolSession): Promise<AddedMessages> {
  const parsed = parseMessages(ctx, input)
  refuseItems(ctx, parsed.messages, 'upload_id')
  const { messages, uploads } = await decodeInlineFiles(parsed.messages, spool, ctx.services.limits.fileBytes)
  return addMessages(ctx, { ...parsed, messages }, uploads)
}

async function addMessages(
  ctx: Context,
  input: AddMessagesInput,
  uploads: ReadonlyMap<string, Upload>,
): Promise<AddedMessages> {
  const { relay, relayWaitMs, limits } = ctx.services
  const messages = await resolveContent(input.messages, uploads, limits.filenameBytes)
  const scope = await ensureScope(ctx, { appId: input.app_id, projectId: input.project_id })
  const batch = await storeBatch(ctx, { scope, sessionId: input.session_id, kind: 'chat' }, messages)
  const outcome = await relay.relayNow(batch.session.id, [batch.id], relayWaitMs)
  if (outcome !== 'queued' && (outcome.state === 'rejected' || outcome.state === 'failed')) {
    await discardRejected(ctx, ctx.caller, [batch.id])
    throw refusedByBackend(outcome)
  }
  const answer = outcome !== 'queued' && outcome.state === 'relayed' ? outcome.answer : undefined
  return { sessionId: input.session_id, messageIds: batch.messageIds, attachments: batch.attachments, answer }
}

function parseMessages(ctx: Context, input: unknown): AddMessagesInput {
  const parsed = parseInput(AddMessagesInput, input)
  const { limits } = ctx.services
  if (parsed.messages.length > limits.messages) {
    throw new GatewayError(
      'invalid_request',
      `messages: ${limits.messages} at most in one request; send the rest in another.`,
      {
        details: { max_messages: limits.messages },
      },
    )
  }
  const impostor = parsed.messages.find(
    ({ role, sender_id }) => role === 'user' && sender_id !== undefined && sender_id !== ctx.caller.externalUserId,
  )
  if (impostor) {
    throw new GatewayError('forbidden', 'A message of role "user" must carry your own user_id as sender_id.', {
      details: { sender_id: impostor.sender_id },
    })
  }
  return parsed
}

const REFUSALS = {
  base64: 'base64 items go to POST /memories/add; here send the file as a multipart field and name it by upload_id.',
  upload_id: 'upload_id needs POST /memories/add/multipart, which carries the files; here send base64.',
}

function refuseItems(ctx: Context, messages: readonly MessageInput[], unwanted: keyof typeof REFUSALS): void {
  const items = fileItems(messages)
  if (items.length > ctx.services.limits.files) {
    throw new GatewayError('payload_too_large', `${ctx.services.limits.files} files at most in one request.`, {
      details: { max_files: ctx.services.limits.files },
    })
  }
  for (const item of items) {
    if (item.uri !== undefined) {
      throw new GatewayError('invalid_request', 'uri: the gateway fetches no addresses. Upload the file instead.')
    }
    if (item[unwanted] !== undefined) throw new GatewayError('invalid_request', `${unwanted}: ${REFUSALS[unwanted]}`)
  }
}
