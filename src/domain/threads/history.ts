import { createHash } from 'node:crypto'
import type { ChatTurn, ToolCall } from './chat-turn.ts'
import type { StoredTurn } from './stored-turns.ts'

/** Ids of calls that all providers take. */
const PLAIN_ID = /^[\w-]{1,40}$/

/**
 * The stored turns to be shown before those that were sent, oldest first: no exchange of which the client sent the question itself, none
 * that observations stand for. What comes out can be put before what was sent in every API: it begins with a user's turn, every call of a tool
 * has one result and every result its call, and no id is used twice.
 */
export function historyBefore(
  sent: readonly ChatTurn[],
  stored: readonly StoredTurn[],
  { resent, observedThrough }: { resent: ReadonlySet<number>; observedThrough: number },
): StoredTurn[] {
  const unobserved = stored.findIndex(({ upstreamTimestamp }) => upstreamTimestamp > observedThrough)
  if (unobserved === -1) return []
  // An answer is shown with its question, also if that is observed already.
  const asked = stored.slice(0, unobserved + 1).findLastIndex(({ role }) => role === 'user')
  const from = asked === -1 ? unobserved : asked
  const kept = withoutResent(stored, resent).filter(([index]) => index >= from)
  const paired = withPairedCalls(joinCalls(kept.map(([, turn]) => turn)), sent)
  const first = paired.findIndex(({ role }) => role === 'user')
  return first === -1 ? [] : paired.slice(first)
}

/** Answers to a question that the client sent itself go with it: it has its own version of them. */
function withoutResent(stored: readonly StoredTurn[], resent: ReadonlySet<number>): [number, StoredTurn][] {
  let isOfResent = false
  return [...stored.entries()].filter(([index, { role }]) => {
    if (role === 'user') isOfResent = resent.has(index)
    return !isOfResent && !resent.has(index)
  })
}

/** An answer that was stored in several turns, calls among them, as one: the results follow all of it. */
function joinCalls(turns: readonly StoredTurn[]): StoredTurn[] {
  const joined: StoredTurn[] = []
  for (const turn of turns) {
    const last = joined.at(-1)
    const belongs = last?.role === 'assistant' && turn.role === 'assistant' && hasCalls(last, turn)
    if (!belongs) joined.push(turn)
    else joined[joined.length - 1] = join(last, turn)
  }
  return joined
}

function hasCalls(...turns: readonly StoredTurn[]): boolean {
  return turns.some(({ toolCalls }) => toolCalls.length > 0)
}

function join(one: StoredTurn, other: StoredTurn): StoredTurn {
  return {
    ...one,
    text: [one.text, other.text].filter((text) => text !== '').join('\n'),
    toolCalls: [...one.toolCalls, ...other.toolCalls],
    tokens: one.tokens + other.tokens,
  }
}

function withPairedCalls(turns: readonly StoredTurn[], sent: readonly ChatTurn[]): StoredTurn[] {
  const paired: StoredTurn[] = []
  const used = new Set(
    sent.flatMap(({ toolCalls, toolCallId }) => [toolCallId, ...(toolCalls ?? []).map(({ id }) => id)]),
  )
  for (let at = 0; at < turns.length; ) {
    const turn = turns[at]
    if (!turn) break
    let end = at + 1
    if (turn.role !== 'tool') {
      if (turn.toolCalls.length > 0) while (turns[end]?.role === 'tool') end++
      const awaited = end === turns.length ? leadingResults(sent) : new Set<string>()
      paired.push(...pairCalls(turn, turns.slice(at + 1, end), awaited, used))
    }
    at = end
  }
  return paired
}

/** Which calls are answered by the first turns that the client sent. */
function leadingResults(sent: readonly ChatTurn[]): ReadonlySet<string> {
  const end = sent.findIndex(({ role }) => role !== 'tool')
  return new Set((end === -1 ? sent : sent.slice(0, end)).flatMap(({ toolCallId }) => toolCallId ?? []))
}

/** A turn with the calls that have a result, then those results; nothing of it, if nothing is left to show. */
function pairCalls(
  turn: StoredTurn,
  results: readonly StoredTurn[],
  awaited: ReadonlySet<string>,
  used: Set<string | undefined>,
): StoredTurn[] {
  const calls: ToolCall[] = []
  const answers: StoredTurn[] = []
  const met = new Set<string>()
  for (const call of turn.toolCalls) {
    if (met.has(call.id)) continue
    met.add(call.id)
    const given = asObject(call)
    const result = results.find(({ toolCallId }) => toolCallId === call.id)
    if (awaited.has(call.id)) calls.push(given)
    else if (result) {
      const id = freeId(call.id, turn.id, used)
      calls.push({ ...given, id })
      answers.push({ ...result, toolCallId: id })
    }
  }
  if (calls.length === 0 && turn.text.trim() === '') return []
  return [{ ...turn, toolCalls: calls }, ...answers]
}

/** Some models write arguments that are no JSON, which other APIs refuse. */
function asObject(call: ToolCall): ToolCall {
  try {
    const given: unknown = JSON.parse(call.arguments)
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return call
  } catch {
    // Told below.
  }
  return { ...call, arguments: '{}' }
}

/** The id itself, or one that is the same in every request. */
function freeId(id: string, messageId: string, used: Set<string | undefined>): string {
  let free = id
  for (let attempt = 0; used.has(free) || !PLAIN_ID.test(free); attempt++) {
    const hash = createHash('sha256').update(JSON.stringify([messageId, id, attempt]))
    free = `call_${hash.digest('hex').slice(0, 24)}`
  }
  used.add(free)
  return free
}
