import type { threads } from '../../db/schema/threads.ts'
import type { ServiceContext, UserContext } from '../context.ts'

export type ThreadRow = typeof threads.$inferSelect

/** Which threads a request may name: those of a project of an account, or of one native user. */
export interface RealmContext extends ServiceContext {
  readonly realm: string
}

/** The request for one resource of it: the user whose the thread is. */
export type ThreadContext = UserContext & RealmContext
