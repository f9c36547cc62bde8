import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText } from '../text-schemas.ts'
import { memoryTypes } from './schemas.ts'
import { mergeVocabulary, type StoredVocabulary, selectVocabulary } from './vocabulary-queries.ts'

/** How one memory has to do with another, whatever a project adds. */
export const relationTypes = [
  'similar',
  'derived_from',
  'continuation',
  'contradiction',
  'summary_of',
  'detail_of',
  'caused_by',
  'references',
  'supports',
  'extends',
] as const

/** So many types of either kind a project may add. */
export const MOST_CUSTOM_TYPES = 32

/** What a project added to the types that every project has. */
export interface Vocabulary {
  readonly contentTypes: readonly string[]
  readonly relationTypes: readonly string[]
}

const names = z.array(cleanText(64).min(1)).max(MOST_CUSTOM_TYPES)
const VocabularyChanges = z.strictObject({ contentTypes: names.optional(), relationTypes: names.optional() })

export async function getVocabulary(ctx: ServiceContext): Promise<Vocabulary> {
  return toVocabulary(await selectVocabulary(ctx.services.db, ctx.service))
}

/** Replaces what the project added of either kind; a kind that is left out stays. */
export async function updateVocabulary(
  ctx: ServiceContext,
  input: unknown,
  also: AlsoStore<Vocabulary> = nothingElse,
): Promise<Vocabulary> {
  const changes = parseInput(VocabularyChanges, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const merged = await mergeVocabulary(tx, ctx.service, {
      ...(changes.contentTypes && { contentTypes: without(changes.contentTypes, memoryTypes) }),
      ...(changes.relationTypes && { relationTypes: without(changes.relationTypes, relationTypes) }),
    })
    const vocabulary = toVocabulary(merged)
    await recordAudit(tx, ctx, { action: 'settings.update', target: ctx.service.projectId })
    await also(tx, vocabulary)
    return vocabulary
  })
}

/** Whether a memory of the project may be of that type. */
export async function knowsMemoryType(ctx: ServiceContext, type: string): Promise<boolean> {
  return isIn(memoryTypes, type) || isIn((await getVocabulary(ctx)).contentTypes, type)
}

export async function knowsRelationType(ctx: ServiceContext, type: string): Promise<boolean> {
  return isIn(relationTypes, type) || isIn((await getVocabulary(ctx)).relationTypes, type)
}

function toVocabulary({ contentTypes = [], relationTypes: relations = [] }: StoredVocabulary): Vocabulary {
  return { contentTypes, relationTypes: relations }
}

function without(given: readonly string[], known: readonly string[]): string[] {
  return [...new Set(given)].filter((name) => !known.includes(name))
}

function isIn(known: readonly string[], name: string): boolean {
  return known.includes(name)
}
