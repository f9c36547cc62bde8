import { z } from 'zod'
import { MAX_CONTENT, MAX_TAGS } from '../../domain/memories/schemas.ts'
import { cleanText, isKeptInstant, OUTSIDE_TIME, opaqueObject } from '../../domain/text-schemas.ts'
import { endUserId } from '../../domain/users/end-users.ts'

/** The shortest text that is a memory, in characters, without the white space around it. */
const SHORTEST_TEXT = 10
const MOST_TTL_MINUTES = 100 * 366 * 24 * 60

/** A field that may be left out; null is as good as that. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value): z.output<T> | undefined => value ?? undefined)
}

const share = z.number().min(0).max(1)
const label = cleanText(256)
const tags = z.array(cleanText(128).min(1)).max(MAX_TAGS)
const oneOrMore = <T extends z.ZodType>(schema: T) =>
  z.union([schema, z.array(schema).min(1).max(MAX_TAGS)]).transform((value) => (Array.isArray(value) ? value : [value]))

const memoryNumber = z.int().min(1)
const memoryTierName = z.enum(['hot', 'warm', 'cold'])

/** An instant with its offset; without one it is UTC, as Python writes it. A date alone is its first moment. */
export const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i, 'must be an ISO 8601 time')
  .transform((value, issues) => {
    const isWhole = /[T ]/i.test(value)
    const hasOffset = /(Z|[+-]\d{2}:?\d{2})$/i.test(value.slice(10))
    const date = new Date(isWhole && !hasOffset ? `${value.replace(' ', 'T')}Z` : value)
    if (isKeptInstant(date)) return date
    const isTime = !Number.isNaN(date.getTime())
    issues.addIssue({ code: 'custom', message: isTime ? OUTSIDE_TIME : 'must be an ISO 8601 time' })
    return z.NEVER
  })

/** What of a memory its caller may change. */
const editable = {
  tags: optional(tags),
  importance: optional(share),
  metadata: optional(opaqueObject),
  source: optional(label),
  event_type: optional(label),
}

const isLongEnough = (text: string) => Array.from(text.trim()).length >= SHORTEST_TEXT

export const AddBody = z
  .object({
    text: optional(cleanText(MAX_CONTENT)),
    content: optional(cleanText(MAX_CONTENT)),
    ...editable,
    memory_type: optional(cleanText(64).min(1)),
    ttl_minutes: optional(z.int().min(1).max(MOST_TTL_MINUTES)),
    deduplicate: optional(z.boolean()),
    session_id: optional(label.min(1)),
    client_ref: optional(cleanText(128).min(1)),
    end_user_id: optional(endUserId),
  })
  .transform(({ text, content, ...rest }, issues) => {
    const given = text ?? content
    if (given === undefined) {
      issues.addIssue({ code: 'invalid_type', expected: 'string', path: ['text'], input: given })
      return z.NEVER
    }
    if (!isLongEnough(given)) {
      const path = [text === undefined ? 'content' : 'text']
      issues.addIssue({
        code: 'too_small',
        origin: 'string',
        minimum: SHORTEST_TEXT,
        inclusive: true,
        path,
        input: given,
        message: `Must have at least ${SHORTEST_TEXT} characters, without the white space around it`,
      })
      return z.NEVER
    }
    return { ...rest, text: given }
  })
export type AddBody = z.output<typeof AddBody>

/** The items are looked at one by one: one that is wrong does not stop the others. */
export const BulkAddBody = z.object({
  items: z.array(z.unknown()).min(1).max(50),
  deduplicate: optional(z.boolean()),
})

export const QueryFilters = z.object({
  tags: optional(oneOrMore(cleanText(128).min(1))),
  source: optional(oneOrMore(label)),
  sources: optional(oneOrMore(label)),
  memory_type: optional(oneOrMore(cleanText(64).min(1))),
  since: optional(instant),
  until: optional(instant),
  include_summaries: optional(z.boolean()),
  tier: optional(memoryTierName),
})
export type QueryFilters = z.output<typeof QueryFilters>

const weight = optional(z.number().min(0).max(1_000))

export const QueryBody = z.object({
  query: cleanText(10_000).refine((value) => value.trim() !== '', 'Must not be empty'),
  k: z
    .int()
    .min(1)
    .max(100)
    .nullish()
    .transform((value) => value ?? 10),
  filters: optional(QueryFilters),
  weights: optional(z.object({ semantic: weight, importance: weight, recency: weight })),
  session_id: optional(label),
  traversal_depth: z
    .int()
    .min(0)
    .max(3)
    .nullish()
    .transform((value) => value ?? 0),
  end_user_id: optional(endUserId),
})
export type QueryBody = z.output<typeof QueryBody>

const hasEdit = (edit: Record<string, unknown>) => Object.keys(editable).some((name) => edit[name] !== undefined)
const EDIT_NEEDED = 'Say at least one of tags, importance, metadata, source and event_type'

export const UpdateBody = z.object(editable).refine(hasEdit, EDIT_NEEDED)
export type UpdateBody = z.output<typeof UpdateBody>

export const BatchUpdateBody = z.object({
  items: z
    .array(z.object({ memory_id: memoryNumber, ...editable }).refine(hasEdit, EDIT_NEEDED))
    .min(1)
    .max(100)
    .refine(
      (items) => new Set(items.map(({ memory_id }) => memory_id)).size === items.length,
      'Must not name a memory twice',
    ),
})

const ForgetFilters = z
  .object({
    source: optional(label),
    event_type: optional(label),
    tags: optional(tags.min(1)),
    tier: optional(memoryTierName),
    before: optional(instant),
    after: optional(instant),
  })
  .refine(
    (filters) => Object.values(filters).some((value) => value !== undefined),
    'Say at least one of source, event_type, tags, tier, before and after',
  )
export type ForgetFilters = z.output<typeof ForgetFilters>

export const ForgetBody = z
  .object({
    memory_ids: optional(z.array(memoryNumber).min(1).max(1_000)),
    filters: optional(ForgetFilters),
    dry_run: optional(z.boolean()),
    reason: optional(cleanText(1_000)),
  })
  .refine(
    ({ memory_ids, filters }) => (memory_ids === undefined) !== (filters === undefined),
    'Say either memory_ids or filters',
  )

export const ComposeBody = z.object({
  prompt_template: cleanText(MAX_CONTENT).refine((value) => value.trim() !== '', 'Must not be empty'),
  recall_k: z
    .int()
    .min(1)
    .max(100)
    .nullish()
    .transform((value) => value ?? 5),
  max_tokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullish()
    .transform((value) => value ?? 2_000),
  end_user_id: optional(endUserId),
})

export const SummarizeBody = z.object({
  memory_ids: z.array(memoryNumber).min(1).max(100),
  lossless: optional(z.boolean()),
})

export const RelationBody = z.object({
  to_memory_id: memoryNumber,
  relationship_type: cleanText(64).min(1),
  confidence: optional(share),
  metadata: optional(opaqueObject),
})

export const FeedbackBody = z.object({
  signal: z.enum(['positive', 'negative', 'retrieved', 'ignored']),
  comment: optional(cleanText(4_000)),
})

const vocabulary = optional(
  z
    .array(z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'Must be a word of a-z, 0-9, _ and -, of 64 characters at most'))
    .max(32),
)

export const OntologyBody = z
  .object({ content_types: vocabulary, relation_types: vocabulary })
  .refine(
    ({ content_types, relation_types }) => content_types !== undefined || relation_types !== undefined,
    'Say content_types, relation_types, or both',
  )

export const RoutedBody = z.object({
  query: QueryBody.shape.query,
  k: QueryBody.shape.k,
  route: optional(cleanText(64)),
  include_reasoning: optional(z.boolean()),
})

export const SynthesizeBody = z
  .object({
    query: optional(QueryBody.shape.query),
    memory_ids: optional(z.array(memoryNumber).min(1).max(100)),
    max_memories: z
      .int()
      .min(1)
      .max(100)
      .nullish()
      .transform((value) => value ?? 20),
  })
  .refine(({ query, memory_ids }) => query !== undefined || memory_ids !== undefined, 'Say query, memory_ids, or both')

/** `resolution` and `note` are taken, and kept nowhere. */
export const DecisionBody = z.object({
  decision_id: z.string().max(64),
  winning_memory_id: memoryNumber,
  resolution: optional(cleanText(256)),
  note: optional(cleanText(4_000)),
})

/** A number in the address. */
export const whole = (most: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'Must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .optional()
    .transform((value) => value ?? fallback)

export const HistoryQuery = z.object({
  limit: whole(500, 100),
  offset: z
    .string()
    .regex(/^\d{1,16}$/, 'Must be a whole number')
    .transform(Number)
    .optional()
    .transform((value) => value ?? 0),
})
