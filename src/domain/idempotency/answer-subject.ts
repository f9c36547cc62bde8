import type { MemoryScope } from '../context.ts'

/** Which data an answer speaks of, by our ids. Erasing any of it erases the answer. */
export interface AnswerSubject {
  readonly userId?: string
  readonly sessionId?: string
  readonly batchId?: string
}

/** Of an answer that speaks of several memories of a user: it goes with the first of their memories that is deleted, whichever it is. */
export function memoriesOfUser(userId: string): AnswerSubject & { sessionId: string } {
  return { sessionId: `memories:${userId}` }
}

/** The same for memories of several users of a project. */
export function memoriesOfProject({ accountId, projectId }: MemoryScope): AnswerSubject & { sessionId: string } {
  return { sessionId: `memories:${accountId}/${projectId}` }
}

/** Of an answer that speaks of a thread, which may have no session yet. */
export function threadItself({ id, userId }: { id: string; userId: string }): AnswerSubject & { sessionId: string } {
  return { userId, sessionId: `thread:${id}` }
}
