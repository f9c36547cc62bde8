import { pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** Which embedding models processes of the gateway use now: nobody deletes their vectors. Deleted when no process has used one for half an hour. */
export const engineEmbeddingModels = pgTable('engine_embedding_models', {
  /** The model's name. */
  model: text().primaryKey(),
  usedAt: instant('used_at').notNull().defaultNow(),
})
