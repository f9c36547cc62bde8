import { readdirSync } from 'node:fs'
import { eq, inArray } from 'drizzle-orm'
import { attachments } from '../../src/db/schema/attachments.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { userResources } from '../../src/db/schema/user-resources.ts'
import { users } from '../../src/db/schema/users.ts'
import type { TestUser } from './client.ts'
import type { TestGateway } from './gateway.ts'

/** How many rows of each kind a user has. */
export async function rowsOf({ services: { db } }: TestGateway, user: TestUser) {
  const owner = db.select({ id: users.id }).from(users).where(eq(users.externalId, user.id))
  return {
    sessions: await db.$count(sessions, inArray(sessions.userId, owner)),
    batches: await db.$count(batches, inArray(batches.userId, owner)),
    messages: await db.$count(messages, inArray(messages.userId, owner)),
    attachments: await db.$count(attachments, inArray(attachments.userId, owner)),
    resources: await db.$count(userResources, inArray(userResources.userId, owner)),
  }
}

export const noRows = { sessions: 0, batches: 0, messages: 0, attachments: 0, resources: 0 }

/** The user's session rows, also deleted ones. */
export function sessionsOf({ services: { db } }: TestGateway, user: TestUser) {
  const owner = db.select({ id: users.id }).from(users).where(eq(users.externalId, user.id))
  return db.select().from(sessions).where(inArray(sessions.userId, owner)).orderBy(sessions.createdAt)
}

/** Keys of all objects in the gateway's local store. */
export function objectKeys({ services: { config } }: TestGateway): string[] {
  if (config.objectStore.kind !== 'local') throw new Error('This gateway has no local store.')
  const dir = config.objectStore.dir
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(dir.length + 1))
    .toSorted()
}
