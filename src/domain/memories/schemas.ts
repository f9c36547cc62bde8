import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import { cleanText, keptInstant, opaqueObject } from '../text-schemas.ts'
import type { MemoryTier } from './memory-tier.ts'

export const memoryTypes = ['preference', 'fact', 'experience', 'goal', 'relationship'] as const
export type MemoryType = (typeof memoryTypes)[number]

export const MAX_CONTENT = 100_000
export const MAX_TAGS = 64
/** So many memories one call stores, changes or deletes. */
export const MAX_AT_ONCE = 1_000

const share = z.number().min(0).max(1)
const label = cleanText(256)
const tags = z.array(cleanText(128).min(1)).max(MAX_TAGS)

export const MemoryOriginInput = z.strictObject({
  agent_id: label.optional(),
  team_id: label.optional(),
  session_id: label.optional(),
  conversation_id: label.optional(),
})

/** Free fields of a memory; what is left out, the gateway's rules say (`assess-text.ts`). */
const optionalFields = {
  type: cleanText(64).min(1).optional(),
  confidence: share.optional(),
  importance: share.optional(),
  tags: tags.optional(),
  metadata: opaqueObject.optional(),
  source: label.nullish(),
  eventType: label.nullish(),
}

export const NewMemory = z.strictObject({
  content: cleanText(MAX_CONTENT).refine((value) => value.trim() !== '', 'must not be empty'),
  ...optionalFields,
  origin: MemoryOriginInput.optional(),
  summary: cleanText(MAX_CONTENT).optional(),
  keyPoints: z.array(cleanText(1_000)).max(64).optional(),
  isSummary: z.boolean().optional(),
  clientRef: cleanText(128).min(1).optional(),
  expiresAt: keptInstant.optional(),
  /** When it was made elsewhere; left out: now. */
  createdAt: keptInstant.optional(),
})
export type NewMemory = z.infer<typeof NewMemory>

export const MemoryChanges = z
  .strictObject({
    content: NewMemory.shape.content.optional(),
    ...optionalFields,
    expiresAt: keptInstant.nullish(),
  })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), 'say what to change')
export type MemoryChanges = z.infer<typeof MemoryChanges>

/** What an agent sees: its own memories, those of these teams, and those that are of no agent and no team. */
export interface AgentView {
  readonly agentId: string
  readonly teamIds: readonly string[]
  readonly withProject: boolean
}

/** Which memories; all that is given must hold. Archived and expired ones are never among them unless asked for. */
export interface MemoryFilter {
  readonly ids?: readonly string[] | undefined
  /** The ids of APIs that want a number. */
  readonly numbers?: readonly number[] | undefined
  readonly types?: readonly string[] | undefined
  readonly sources?: readonly string[] | undefined
  readonly eventType?: string | undefined
  readonly exceptEventType?: string | undefined
  /** All of them. */
  readonly tags?: readonly string[] | undefined
  /** Equal in every field that is given. */
  readonly origin?: Readonly<Record<string, string>> | undefined
  readonly agentView?: AgentView | undefined
  readonly minConfidence?: number | undefined
  readonly minImportance?: number | undefined
  readonly maxImportance?: number | undefined
  /** By creation; inclusive. */
  readonly since?: Date | undefined
  /** By creation; exclusive. */
  readonly until?: Date | undefined
  readonly isSummary?: boolean | undefined
  /** How recently it was made or read: `memory-tier.ts`. */
  readonly tier?: MemoryTier | undefined
  readonly includeArchived?: boolean | undefined
}

/** `invalid_request` for more than one call may name. */
export function requireFew(items: readonly unknown[]): void {
  if (items.length > MAX_AT_ONCE) {
    throw new GatewayError('invalid_request', `One call may name ${MAX_AT_ONCE} memories at most.`)
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether this can be the id, or the number, of a memory; what cannot is no question for the database. */
export function isMemoryName(by: string | number): boolean {
  return typeof by === 'number' ? Number.isSafeInteger(by) && by > 0 : UUID.test(by)
}
