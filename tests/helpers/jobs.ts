import { sql } from 'drizzle-orm'
import type { Services } from '../../src/services.ts'

/** Has the jobs that wait for their next attempt made due: for tests of what an attempt does, not of when it is made. */
export async function hurryJobs({ services: { db } }: { readonly services: Pick<Services, 'db'> }): Promise<void> {
  await db.execute(
    sql`update pgboss.job set start_after = now() where state in ('created', 'retry') and start_after > now()`,
  )
}
