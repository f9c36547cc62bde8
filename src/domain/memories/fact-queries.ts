import { and, eq, notInArray, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import type { Owner } from '../context.ts'
import { type FactSourceKind, refOf } from './fact-source.ts'
import { textArray } from './similarity-queries.ts'

/** The memories that were drawn from any of these sources, but those of the refs `except`. */
export async function selectFactIds(
  db: Database,
  owner: Owner,
  kind: FactSourceKind,
  sourceIds: readonly number[],
  except: readonly string[],
): Promise<string[]> {
  const named = sql`string_to_array(split_part(${memories.clientRef}, ':', 3), ',')`
  const rows = await db
    .select({ id: memories.id })
    .from(memories)
    .where(
      and(
        eq(memories.userId, owner.userId),
        sql`starts_with(${memories.clientRef}, ${refOf(kind)})`,
        sql`${named} && ${textArray(sourceIds.map(String))}`,
        except.length > 0 ? notInArray(memories.clientRef, [...except]) : undefined,
      ),
    )
  return rows.map(({ id }) => id)
}
