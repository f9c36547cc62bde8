import type { SpoolSession } from '../attachments/spool.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import type { BatchAnswer } from '../relay/outcome.ts'
import { relayOrDiscard } from '../relay/relay-or-discard.ts'
import { decodeInlineFiles } from './decode-inline-files.ts'
import { ensureScope } from './ensure-scope.ts'
import { fileItems, matchUploads, resolveContent, type Upload } from './resolve-content.ts'
import { AddMessagesInput, type MessageInput } from './schemas.ts'
import { bytesOf, type StoredBatch, storeBatch } from './store-batch.ts'

/** Durable, and on their way to the backend. */
export interface StoredMessages {
  /** The `session_id` of the API. */
  readonly sessionId: string
  readonly batch: StoredBatch
}

/** Stores messages whose files came as multipart fields. */
export async function storeUploadedMessages(
  ctx: Context,
  input: unknown,
  uploads: readonly Upload[],
  also: AlsoStore<StoredMessages> = nothingElse,
): Promise<StoredMessages> {
  const parsed = parseMessages(ctx, input)
  refuseItems(ctx, parsed.messages, 'base64')
  matchUploads(
    fileItems(parsed.messages),
    uploads.map(({ uploadId }) => uploadId),
  )
  return storeMessages(ctx, parsed, new Map(uploads.map((upload) => [upload.uploadId, upload])), also)
}

/** Stores messages whose files, if any, came inline as base64. */
export async function storeInlineMessages(
  ctx: Context,
  input: unknown,
  spool: SpoolSession,
  also: AlsoStore<StoredMessages> = nothingElse,
): Promise<StoredMessages> {
  const parsed = parseMessages(ctx, input)
  refuseItems(ctx, parsed.messages, 'upload_id')
  const { messages, uploads } = await decodeInlineFiles(parsed.messages, spool, ctx.services.limits.fileBytes)
  return storeMessages(ctx, { ...parsed, messages }, uploads, also)
}

/** The backend's answer to stored messages; undefined if it has none in time: it gets them later. */
export function relayMessages(ctx: Context, { batch }: StoredMessages): Promise<BatchAnswer | undefined> {
  return relayOrDiscard(ctx, batch.session, [batch.id], ctx.services.relayWaitMs)
}

async function storeMessages(
  ctx: Context,
  input: AddMessagesInput,
  uploads: ReadonlyMap<string, Upload>,
  also: AlsoStore<StoredMessages>,
): Promise<StoredMessages> {
  const messages = await resolveContent(input.messages, uploads, ctx.services.limits.filenameBytes)
  const scope = await ensureScope(ctx, { appId: input.app_id, projectId: input.project_id })
  const target = { scope, sessionId: input.session_id, kind: 'chat' as const }
  const batch = await storeBatch(ctx, target, messages, async (tx, stored) => {
    await recordAudit(tx, ctx, { action: 'messages.add', target: stored.id, bytes: bytesOf(stored) })
    await also(tx, { sessionId: input.session_id, batch: stored })
  })
  return { sessionId: input.session_id, batch }
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
