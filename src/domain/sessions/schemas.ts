import { z } from 'zod'
import { cleanText, freeId, nameId, opaqueObject, sessionName, spaceFields } from '../text-schemas.ts'

export const fileItemTypes = ['image', 'audio', 'doc', 'pdf', 'html', 'email'] as const

/** For readers of the schema: the operator's MAX_MESSAGES decides, which may be lower. */
const MAX_MESSAGES = 500
const MAX_CONTENT_ITEMS = 200
const MAX_TOOL_CALLS = 128
const MAX_TIMESTAMP = Date.UTC(9999, 11, 31)

/** A session the caller names; ours have reserved prefixes. */
export const callerSessionId = freeId
  .regex(
    /^(?!(?:resource|memory|thread):)/i,
    "must not start with resource:, memory: or thread: — those sessions are the gateway's own",
  )
  .refine((value) => value !== '.' && value !== '..', 'must not be . or .., which no URL can name')

const textItem = z.strictObject({ type: z.literal('text'), text: cleanText(1_000_000) })

const fileItem = z.strictObject({
  type: z.enum(fileItemTypes),
  /** Name of the multipart field that carries the file. */
  upload_id: cleanText(200).min(1).optional(),
  /** The file itself, without `data:` prefix. */
  base64: z.string().min(1).optional(),
  /** Refused: the gateway fetches no address that a caller chose. */
  uri: z.unknown().optional(),
  name: cleanText(1024).optional(),
  ext: z.string().max(16).optional(),
})

export const ContentItem = z.discriminatedUnion('type', [textItem, fileItem])
export type ContentItem = z.infer<typeof ContentItem>
export type FileItem = z.infer<typeof fileItem>

export const MessageInput = z
  .strictObject({
    sender_id: freeId.optional(),
    sender_name: cleanText(128).optional(),
    role: z.enum(['user', 'assistant', 'tool']),
    timestamp: z.number().int().positive().max(MAX_TIMESTAMP).optional(),
    content: z.union([cleanText(1_000_000).min(1), z.array(ContentItem).min(1).max(MAX_CONTENT_ITEMS)]),
    tool_calls: z.array(opaqueObject).max(MAX_TOOL_CALLS).optional(),
    tool_call_id: cleanText(256).optional(),
  })
  .refine((message) => message.role !== 'tool' || message.tool_call_id !== undefined, {
    path: ['tool_call_id'],
    error: 'is needed for role "tool"',
  })
export type MessageInput = z.infer<typeof MessageInput>

const sessionFields = { session_id: callerSessionId, ...spaceFields }

export const AddMessagesInput = z.strictObject({
  ...sessionFields,
  messages: z.array(MessageInput).min(1).meta({ maxItems: MAX_MESSAGES }),
})
export type AddMessagesInput = z.infer<typeof AddMessagesInput>

export const FlushSessionInput = z.strictObject(sessionFields)

export const ListSessionsInput = z.strictObject({
  app_id: nameId.default('default'),
  project_id: nameId.default('default'),
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export const ListMessagesInput = ListSessionsInput.extend({ session_id: sessionName })
