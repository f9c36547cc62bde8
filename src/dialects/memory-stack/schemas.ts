import { z } from 'zod'
import { MAX_CONTENT } from '../../domain/memories/schemas.ts'
import { cleanText, opaqueObject } from '../../domain/text-schemas.ts'
import { endUserId } from '../../domain/users/end-users.ts'

export const MAX_IMPORTED = 500
const MAX_QUERY = 8_000

const label = cleanText(256).min(1)
const share = z.number().min(0).max(1)

/** Numbers of a query come as text. */
const numberText = (pattern: RegExp, expected: string) =>
  z.string().regex(pattern, `Expected ${expected}, received string`).transform(Number)
const integerText = (min: number, max: number) => numberText(/^[+-]?\d+$/, 'number').pipe(z.number().min(min).max(max))
const shareText = numberText(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, 'number').pipe(share)
const flagText = z.enum(['true', 'false']).transform((value) => value === 'true')

const textPart = z.object({ type: z.literal('text'), text: cleanText(MAX_CONTENT) })
const filePart = z
  .object({
    type: z.enum(['image', 'document', 'audio']),
    /** Base64; a `data:` prefix is dropped. */
    data: z.string().min(1),
    mimeType: z.string().max(256).nullish(),
    name: cleanText(1_024).nullish(),
  })
  .transform(({ data, ...part }) => ({ ...part, data: data.replace(/^data:[^,]{0,256};base64,/, '') }))
const part = z.union([textPart, filePart])
export type FilePart = z.infer<typeof filePart>

const message = z.object({
  role: z.enum(['user', 'assistant', 'system']),
  content: z.union([cleanText(MAX_CONTENT).min(1), part, z.array(part).min(1).max(100)]),
})
export type Message = z.infer<typeof message>

/** Who a new memory is for: `self` is nobody in particular, and `all` are too many. */
const newUserId = endUserId.refine((value) => value !== 'all', 'all is no user: send the id of one, or none')

const originFields = {
  agent_id: label.nullish(),
  team_id: label.nullish(),
  session_id: label.nullish(),
  conversation_id: label.nullish(),
}

export const CreateBody = z.object({
  messages: z.array(message).min(1).max(100),
  user_id: newUserId.nullish(),
  metadata: opaqueObject.nullish(),
  ...originFields,
  agent_name: label.nullish(),
  agent_type: label.nullish(),
})
export type CreateBody = z.infer<typeof CreateBody>

export const AgentBody = CreateBody.refine(({ agent_id, agent_name }) => Boolean(agent_id ?? agent_name), {
  path: ['agent_name'],
  message: 'Required',
})

const userId = endUserId.optional()
const filters = {
  user_id: userId,
  memory_type: cleanText(64).min(1).optional(),
  min_confidence: shareText.optional(),
}

export function filterOf({ memory_type: type, min_confidence: minConfidence }: z.infer<z.ZodObject<typeof filters>>) {
  return { minConfidence, ...(type !== undefined && { types: [type] }) }
}

export const ListQuery = z.object({
  ...filters,
  limit: integerText(1, 100).default(20),
  cursor: z.string().max(512).optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  include_embedding: flagText.default(false),
})

const searchModes = ['hybrid', 'vector', 'text', 'graph'] as const

export const SearchQuery = z.object({
  ...filters,
  query: cleanText(MAX_QUERY).refine((value) => value.trim() !== '', 'Search query is required'),
  limit: integerText(1, 50).default(10),
  mode: z.enum(searchModes).default('hybrid'),
  agent_id: label.optional(),
  team_id: label.optional(),
  session_id: label.optional(),
  conversation_id: label.optional(),
})

export const AgentQuery = z.object({
  ...filters,
  agent_id: label,
  limit: integerText(1, 100).default(50),
  cursor: z.string().max(512).optional(),
  include_team: flagText.default(true),
  include_project: flagText.default(true),
})

export const PatchBody = z
  .object({
    content: cleanText(MAX_CONTENT)
      .refine((value) => value.trim() !== '', 'Content cannot be empty')
      .nullish(),
    memory_type: cleanText(64).min(1).nullish(),
    confidence: share.nullish(),
    metadata: opaqueObject.nullish(),
  })
  .refine(
    (changes) => Object.values(changes).some((value) => value !== undefined && value !== null),
    'At least one field must be provided for update',
  )

export const DeleteQuery = z.object({ hard: flagText.default(false) })

export const DeleteBatchBody = z.object({
  memory_ids: z.array(z.string().max(64)).min(1).max(1_000),
  hard: z.boolean().default(false),
})

const importedMemory = z.object({
  /** The names that the export, and this API's other answers, have for it. */
  content: cleanText(MAX_CONTENT).refine((value) => value.trim() !== '', 'Content cannot be empty'),
  memory_type: cleanText(64).min(1).nullish(),
  confidence: share.nullish(),
  metadata: opaqueObject.nullish(),
  user_id: newUserId.nullish(),
  end_user_id: newUserId.nullish(),
  created_at: z.iso
    .datetime({ offset: true })
    .refine((value) => Date.parse(value) <= Date.now(), 'must not be in the future')
    .nullish(),
  ...originFields,
})
export type ImportedMemory = z.infer<typeof importedMemory>

export const ImportBody = z.object({ memories: z.array(importedMemory).min(1).max(MAX_IMPORTED) })

export const ExportBody = z.object({
  format: z.enum(['json', 'csv']).default('json'),
  user_id: endUserId.nullish(),
  cursor: z.string().max(512).nullish(),
})

export const ReflectBody = z.object({
  timeWindowDays: z.number().int().min(1).max(90).default(7),
  analysisDepth: z.enum(['shallow', 'deep']).default('shallow'),
  dryRun: z.boolean().default(false),
  minPatternStrength: share.default(0.7),
})

export const ConsolidateBody = z.object({
  similarity_threshold: share.default(0.9),
  check_redundancy: z.boolean().default(true),
  dry_run: z.boolean().default(false),
})

const frequencies = ['daily', 'weekly', 'monthly'] as const

export const MaintenanceBody = z.object({
  consolidation_enabled: z.boolean().nullish(),
  consolidation_frequency: z.enum(frequencies).nullish(),
  reflection_enabled: z.boolean().nullish(),
  reflection_frequency: z.enum(frequencies).nullish(),
})
