import type { threads } from '../../db/schema/threads.ts'
import type { ServiceContext, UserContext } from '../context.ts'
import type { AnswerSubject } from '../idempotency/answer-subject.ts'

export type ThreadRow = typeof threads.$inferSelect

/** Which threads a request may name: those of a project of an account, or of one native user. */
export interface RealmContext extends ServiceContext {
  readonly realm: string
}

/** The request for one resource of it: the user whose the thread is. */
export type ThreadContext = UserContext & RealmContext

/** Of an answer that speaks of a thread: it goes with the thread, which may have no session yet. */
export function answersOfThread({ userId, id }: ThreadRow): AnswerSubject & { sessionId: string } {
  return { userId, sessionId: id }
}
