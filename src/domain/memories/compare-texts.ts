import { randomBytes } from 'node:crypto'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { type ComparedText, selectTexts, selectUsersWithMemories } from './link-queries.ts'

/** So many memories of a user are compared with one another, the newest, and no more words than that. */
const MOST_TEXTS = 10_000
const MOST_WORDS = 1_000_000
const PAGE = 500
const USERS_PAGE = 100

/** A user's memories with their words, newest first. `isWhole`: none was left out for being one too many. */
export async function selectComparable(
  ctx: ServiceContext,
  scope: MemoryScope & { userId: string },
): Promise<{ texts: readonly ComparedText[]; isWhole: boolean }> {
  const texts: ComparedText[] = []
  let words = 0
  for (;;) {
    const page = await selectTexts(ctx.services.db, scope, { limit: PAGE, offset: texts.length })
    for (const text of page) {
      words += text.words.length
      if (words > MOST_WORDS) return { texts, isWhole: false }
      texts.push(text)
    }
    if (page.length < PAGE) return { texts, isWhole: true }
    if (texts.length >= MOST_TEXTS) return { texts, isWhole: false }
    ctx.signal.throwIfAborted()
  }
}

/** How long a verb that works on all users of a project goes on with another one, before it says that it is not done. */
const UPKEEP_MS = 20_000

/**
 * Does something for each user of the scope, one after the other. It begins with a random one, so that where time does not do for all,
 * doing it again gets to everyone. Resolves with whether it got to all of them now.
 */
export async function forEachUser(
  ctx: ServiceContext,
  scope: MemoryScope,
  work: (scope: MemoryScope & { userId: string }) => Promise<void>,
): Promise<boolean> {
  if (scope.userId !== undefined) {
    await work({ ...scope, userId: scope.userId })
    return true
  }
  const deadline = Date.now() + UPKEEP_MS
  const middle = `usr_${randomBytes(2).toString('hex')}`
  for (const [from, through] of [
    [middle, undefined],
    [undefined, middle],
  ] as const) {
    let after: string | undefined = from
    for (;;) {
      const page = await selectUsersWithMemories(ctx.services.db, scope, { after, limit: USERS_PAGE })
      for (const userId of page) {
        if (through !== undefined && userId > through) return true
        if (ctx.signal.aborted || Date.now() > deadline) return false
        await work({ ...scope, userId })
        after = userId
      }
      if (page.length < USERS_PAGE) break
    }
  }
  return true
}
