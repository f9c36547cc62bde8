import { z } from 'zod'
import { MAX_CONTENT } from '../../../domain/memories/schemas.ts'
import { cleanText, opaqueObject } from '../../../domain/text-schemas.ts'
import { endUserId } from '../../../domain/users/end-users.ts'
import { instant, optional, whole } from '../schemas.ts'

/** `tenant_id` is the client's own: the key alone says whose account it is. */
const named = { tenant_id: optional(cleanText(256)), user_id: endUserId }
const orElse = <T extends z.ZodType>(schema: T, fallback: NoInfer<z.output<T>>) =>
  schema.nullish().transform((value): z.output<T> => value ?? fallback)

const source = cleanText(128).min(1)
const sessionId = cleanText(256).min(1)
const flag = (fallback: boolean) => orElse(z.boolean(), fallback)
const notEmpty = (text: string) => text.trim() !== ''

export const AddTurnBody = z.object({
  ...named,
  text: cleanText(MAX_CONTENT).refine(notEmpty, 'Must not be empty'),
  role: optional(cleanText(64)),
  speaker: optional(cleanText(256)),
  occurred_at: optional(cleanText(64)),
  metadata: optional(opaqueObject),
  source: orElse(source, 'chat'),
})
export type AddTurnBody = z.output<typeof AddTurnBody>

export const RecallBody = z.object({
  ...named,
  prompt: cleanText(MAX_CONTENT).refine(notEmpty, 'Must not be empty'),
  k: orElse(z.int().min(1).max(100), 5),
  types: optional(z.array(cleanText(64)).max(64)),
})

export const ListMemoriesQuery = z.object({
  limit: whole(200, 50),
  offset: z
    .string()
    .regex(/^\d{1,9}$/, 'Must be a whole number')
    .transform(Number)
    .optional()
    .transform((value) => value ?? 0),
})

/** What these fields may be is said by the verb. */
const turn = z
  .object({
    role: z.string(),
    content: z.string(),
    seq: optional(z.int()),
    occurred_at: optional(instant),
    payload: z.unknown().optional(),
    idempotency_key: optional(z.string()),
  })
  .transform(({ role, content, seq, occurred_at: occurredAt, payload, idempotency_key: idempotencyKey }) => ({
    role,
    content,
    seq,
    occurredAt,
    payload: payload ?? undefined,
    idempotencyKey,
  }))

export const AppendBody = z.object({
  ...named,
  session_id: sessionId,
  source: orElse(source, 'api'),
  turns: z.array(turn).min(1).max(100),
  extract: flag(true),
  metadata: optional(opaqueObject),
})

export const ListHistoryBody = z.object({
  ...named,
  session_id: sessionId,
  source: optional(source),
  limit: orElse(z.int().min(0).max(5_000), 0),
})

/** `h_12`, `12`, or 12. */
const turnId = z.union([
  z.int().min(1),
  z
    .string()
    .regex(/^(h_)?[1-9]\d{0,15}$/, 'Must be the id of a turn, as h_12')
    .transform((id) => Number(id.replace('h_', '')))
    .pipe(z.int()),
])

export const DeleteHistoryBody = z
  .object({
    ...named,
    session_id: optional(sessionId),
    ids: optional(z.array(turnId).min(1).max(5_000)),
    source: optional(source),
    delete_derived_facts: flag(false),
  })
  .refine(({ session_id, ids }) => (session_id === undefined) !== (ids === undefined), 'Say either session_id or ids')

const segments = z.array(z.string()).max(20)
const namespace = segments.min(1)
const stateSource = orElse(source, 'api')
const offset = orElse(z.int().min(0).max(1_000_000), 0)

export const PutStateBody = z.object({
  ...named,
  namespace,
  key: z.string(),
  value: z.record(z.string(), z.unknown()),
  text: optional(z.string()),
  source: stateSource,
  extract: flag(false),
  replace_derived_facts: flag(false),
  metadata: optional(opaqueObject),
})

export const GetStateBody = z.object({ ...named, namespace, key: z.string(), source: stateSource })

export const ListStateBody = z.object({
  ...named,
  namespace_prefix: orElse(segments, []),
  source: stateSource,
  limit: orElse(z.int().min(1).max(5_000), 100),
  offset,
})

export const SearchStateBody = z.object({
  ...named,
  query: z.string(),
  namespace_prefix: orElse(segments, []),
  source: stateSource,
  limit: orElse(z.int().min(1).max(100), 10),
})

export const DeleteStateBody = z.object({
  ...named,
  namespace,
  keys: optional(z.array(z.string()).max(5_000)),
  source: stateSource,
  delete_derived_facts: flag(false),
})

export const NamespacesBody = z.object({
  ...named,
  source: stateSource,
  prefix: orElse(segments, []),
  max_depth: optional(z.int().min(1).max(20)),
  limit: orElse(z.int().min(1).max(5_000), 100),
  offset,
})
