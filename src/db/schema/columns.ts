import { customType, timestamp } from 'drizzle-orm/pg-core'

/** A point in time as the database keeps it (microseconds, UTC). */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Full-text vector, written as text and cast by PostgreSQL. */
export const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' })
