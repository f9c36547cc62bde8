import { dataNotice, fence } from '../../../prompts/fence.ts'

/** So many characters of memories at most: they are part of a prompt. */
const MAX_CHARACTERS = 50_000

/**
 * Memories as a part of a prompt, in their order, told apart from what the prompt says itself. Empty without memories; one that there
 * is no room for is left out.
 */
export function contextBlock(memories: readonly { readonly content: string }[]): string {
  let room = MAX_CHARACTERS
  const texts: string[] = []
  for (const { content } of memories) {
    if (content.length > room) continue
    texts.push(content)
    room -= content.length
  }
  return texts.length > 0 ? `${dataNotice('memories')}\n${fence('memories', texts)}` : ''
}
