import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'

/**
 * The stored turns as a provider takes them: every call of a tool is followed by its result and every result follows its
 * call, be the result the first thing that the client sends now. Providers refuse a whole chat for one call that is left alone.
 */
export function coherentHistory(history: readonly ChatTurn[], sent: () => readonly ChatTurn[]): ChatTurn[] {
  const kept: ChatTurn[] = []
  let at = 0
  while (at < history.length) {
    const [turn, ...results] = groupAt(history, at)
    at += 1 + results.length
    if (!turn || turn.role === 'tool') continue
    const sentNow = at === history.length && turn.toolCalls?.length ? leadingResults(sent()) : []
    kept.push(...coherentGroup(turn, results, sentNow))
  }
  return kept
}

/** The turns with calls and results told in words, for a request that offers no tools. */
export function withoutTools(turns: readonly ChatTurn[]): ChatTurn[] {
  return turns.map(({ role, parts, toolCalls = [] }) => {
    if (role === 'tool') return { role: 'user', parts: [{ type: 'text', text: '[Result of the tool]' }, ...parts] }
    const calls = toolCalls.map(
      ({ name, arguments: args }): ChatPart => ({ type: 'text', text: `[Call of ${name}: ${args}]` }),
    )
    return { role, parts: [...parts, ...calls] }
  })
}

export function joinedText(parts: readonly ChatPart[]): string {
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
}

/** Turns that follow each other and for which `isTogether` holds, as one list each. */
export function grouped(
  turns: readonly ChatTurn[],
  isTogether: (before: ChatTurn, turn: ChatTurn) => boolean,
): ChatTurn[][] {
  const groups: ChatTurn[][] = []
  for (const turn of turns) {
    const group = groups.at(-1)
    const before = group?.at(-1)
    if (group && before && isTogether(before, turn)) group.push(turn)
    else groups.push([turn])
  }
  return groups
}

/** The turn, and the results of tools that directly follow it. */
function groupAt(turns: readonly ChatTurn[], at: number): readonly ChatTurn[] {
  let end = at + 1
  while (turns[end]?.role === 'tool') end++
  return turns.slice(at, end)
}

function leadingResults(turns: readonly ChatTurn[]): readonly ChatTurn[] {
  const end = turns.findIndex(({ role }) => role !== 'tool')
  return end === -1 ? turns : turns.slice(0, end)
}

function coherentGroup(turn: ChatTurn, results: readonly ChatTurn[], sent: readonly ChatTurn[]): ChatTurn[] {
  const { toolCalls = [], ...said } = turn
  const first = new Map<string, ChatTurn>()
  for (const result of [...results, ...sent]) {
    if (result.toolCallId !== undefined && !first.has(result.toolCallId)) first.set(result.toolCallId, result)
  }
  const calls = new Map<string, ToolCall>()
  for (const call of toolCalls) if (first.has(call.id) && !calls.has(call.id)) calls.set(call.id, call)
  if (calls.size === 0) return said.parts.length > 0 ? [said] : []
  const answers = results.filter(
    (result) => calls.has(result.toolCallId ?? '') && first.get(result.toolCallId ?? '') === result,
  )
  return [{ ...said, toolCalls: [...calls.values()] }, ...answers]
}
