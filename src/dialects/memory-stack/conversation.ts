import type { SpoolSession } from '../../domain/attachments/spool.ts'
import type { UserContext } from '../../domain/context.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { Conversation, SpokenMessage } from '../../domain/memories/remember-conversation.ts'
import { decodeInlineFiles } from '../../domain/sessions/decode-inline-files.ts'
import type { CreateBody, FilePart, Message } from './schemas.ts'

const KIND_OF = { image: 'image', audio: 'audio', document: 'doc' } as const

/** The body as the core knows a conversation: the files in it are decoded, and wait in the spool. */
export async function toConversation(ctx: UserContext, body: CreateBody, spool: SpoolSession): Promise<Conversation> {
  requireFewFiles(ctx, body)
  const messages: SpokenMessage[] = []
  let count = 0
  for (const message of body.messages) {
    const { text, files } = partsOf(message)
    const uploads = await decodeFiles(ctx, files, spool, count)
    count += files.length
    messages.push({ role: message.role, content: text, uploads })
  }
  return { messages, metadata: metadataOf(body), origin: originOf(body) }
}

/** As many as an upload may have: each is looked into, and put in the object store. */
function requireFewFiles({ services: { limits } }: UserContext, { messages }: CreateBody): void {
  const count = messages.reduce((sum, message) => sum + partsOf(message).files.length, 0)
  if (count <= limits.files) return
  throw new GatewayError('payload_too_large', `${limits.files} files at most in one request.`, {
    details: { max_files: limits.files },
  })
}

/** Where a memory was made. An agent without an id goes by its name. */
export function originOf(
  body: Partial<Pick<CreateBody, 'agent_id' | 'agent_name' | 'team_id' | 'session_id' | 'conversation_id'>>,
): Record<string, string> {
  const { agent_id, agent_name, team_id, session_id, conversation_id } = body
  const agent = agent_id ?? agent_name
  return {
    ...(agent && { agent_id: agent }),
    ...(team_id && { team_id }),
    ...(session_id && { session_id }),
    ...(conversation_id && { conversation_id }),
  }
}

function metadataOf({ metadata, agent_name, agent_type }: CreateBody): Record<string, unknown> {
  return { ...(agent_name && { agent_name }), ...(agent_type && { agent_type }), ...metadata }
}

function partsOf({ content }: Message): { text: string; files: FilePart[] } {
  if (typeof content === 'string') return { text: content, files: [] }
  const parts = Array.isArray(content) ? content : [content]
  return {
    text: parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n'),
    files: parts.filter((part) => part.type !== 'text'),
  }
}

async function decodeFiles(ctx: UserContext, files: readonly FilePart[], spool: SpoolSession, before: number) {
  const uploads: SpokenMessage['uploads'][number][] = []
  for (const [index, { type, data, name }] of files.entries()) {
    const kind = KIND_OF[type]
    const item = { type: kind, base64: data, ...(name && { name }) }
    const decoded = await decodeInlineFiles([{ role: 'user', content: [item] }], spool, ctx.services.limits.fileBytes)
    const [upload] = decoded.uploads.values()
    if (!upload) throw new Error('One file is decoded as one.')
    uploads.push({ ...upload, uploadId: `${type}_${before + index + 1}`, declared: kind })
  }
  return uploads
}
