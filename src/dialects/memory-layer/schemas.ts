import { z } from 'zod'
import { MAX_CONTENT } from '../../domain/memories/schemas.ts'
import { cleanText, opaqueObject } from '../../domain/text-schemas.ts'
import { endUserId } from '../../domain/users/end-users.ts'
import { bool, float, integer } from './fields.ts'

const MAX_MESSAGE = 8_000

const text = (max: number) => cleanText(max).min(1)
const conversationId = text(256)

/** Unknown fields are ignored, as everywhere here. */
export const StoreBody = z.object({
  content: text(MAX_CONTENT),
  external_user_id: endUserId,
  metadata: opaqueObject.nullish(),
})

/** Without `external_user_id`: all users of the key's project. */
export const SearchFields = z.object({
  query: text(MAX_MESSAGE),
  external_user_id: endUserId.nullish(),
  limit: integer(1, 100).default(10),
  similarity_threshold: float(0, 1).default(0.35),
})

export const ListQuery = z.object({
  limit: integer(1, 200).default(50),
  offset: integer(0, Number.MAX_SAFE_INTEGER).default(0),
  external_user_id: endUserId.optional(),
})

export const UserQuery = z.object({ external_user_id: endUserId.optional() })

export const ChatBody = z.object({
  message: text(MAX_MESSAGE),
  external_user_id: endUserId,
  top_k: integer(1, 20).default(5),
  conversation_id: conversationId.nullish(),
})

/** Without `external_user_id`: the memories that belong to no end user. */
export const LegacyChatBody = ChatBody.extend({ external_user_id: endUserId.nullish() })

export const PruneQuery = z.object({
  max_age_days: integer(0, 36_500).default(90),
  min_importance: float(0, 1).default(0.1),
  max_memories: integer(0, Number.MAX_SAFE_INTEGER).default(10_000),
  archive_only: bool.default(true),
  dry_run: bool.default(false),
  external_user_id: endUserId.optional(),
})

export const KeyBody = z.object({ name: text(128) })
