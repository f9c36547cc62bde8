import { createHash } from 'node:crypto'
import { Pacer } from '../pacer.ts'
import type { ChatTurn } from './chat-turn.ts'
import { decodedSize } from './media-tokens.ts'
import type { StoredTurn } from './stored-turns.ts'
import { type ComparableTurn, comparable, fingerprint, sizeOf } from './turn-text.ts'

export interface KnownTurns {
  /** Index of the first sent turn that is not stored yet. */
  readonly newFrom: number
  /** Indexes of stored turns that the client sent itself. */
  readonly resent: ReadonlySet<number>
}

interface File {
  readonly size: number
  sha256(): string
}

/** One turn, or the turns in which one answer came: APIs and clients divide answers differently. */
interface Group {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly isAnswer: boolean
  /** Equal for groups that say the same; none of the stored groups has that of one that says what none of them says. */
  readonly key: number
  readonly files: readonly File[]
}

/** Where the two sequences say the same, by numbers of groups; `to` are exclusive. */
interface Run {
  readonly sentFrom: number
  readonly sentTo: number
  readonly storedFrom: number
  readonly storedTo: number
}

/** Comparing goes so far back. */
const MOST_GROUPS = 500

/**
 * Which of the sent turns are stored, recognised by what they say: clients send the new turn alone, the whole conversation, or a part
 * of it, some behind examples of their own. `stored`: the newest of the thread.
 */
export async function knownTurns(sent: readonly ChatTurn[], stored: readonly StoredTurn[]): Promise<KnownTurns> {
  if (stored.length === 0) return { newFrom: 0, resent: new Set() }
  const numbers = new Map<string, number>()
  const ours = await groupsOf(
    stored,
    (turn) => turn,
    storedFiles,
    (key) => numberOf(numbers, key),
  )
  const theirs = await groupsOf(sent, comparable, sentFiles, (key) => numbers.get(key) ?? UNKNOWN)
  // What follows the thread's end is new, also if it has been said before.
  const run = longest(runsToTheEnd(theirs, ours)) ?? longest(runsFromTheStart(theirs, ours))
  const newFrom = firstNew(sent, theirs, ours, run)
  const known = theirs.filter(({ to }) => to <= newFrom).slice(-MOST_GROUPS)
  const resent = new Set<number>()
  for (const group of pairsOf(known, ours)) for (let at = group.from; at < group.to; at++) resent.add(at)
  return { newFrom, resent }
}

/** What follows the client's last answer; an answer at the very end is a beginning that the model is to go on with. */
export function afterLastAnswer(sent: readonly ChatTurn[]): number {
  const end = sent.findLastIndex(({ role }) => role !== 'assistant')
  return sent.slice(0, Math.max(end, 0)).findLastIndex(({ role }) => role === 'assistant') + 1
}

function firstNew(
  sent: readonly ChatTurn[],
  theirs: readonly Group[],
  ours: readonly Group[],
  run: Run | undefined,
): number {
  const after = afterLastAnswer(sent)
  if (run) {
    const known = theirs[run.sentTo - 1]?.to ?? 0
    // Where the client went another way than the thread, its older answers are its own version of stored ones.
    return run.storedTo === ours.length || run.sentTo === theirs.length ? known : Math.max(known, after)
  }
  if (sent[after]?.role !== 'tool') return after
  // Results of calls that are not stored: the calls, and what they were made for, are new too.
  return Math.max(
    0,
    sent.slice(0, after).findLastIndex(({ role }) => role === 'user'),
  )
}

/**
 * Runs that end where the thread ends: the next message follows. Behind examples, or an answer that the client changed, a run has to have
 * more than one turn, an answer among them: that somebody says "yes" again is no sign.
 */
function* runsToTheEnd(theirs: readonly Group[], ours: readonly Group[]): Generator<Run> {
  for (let sentTo = 1; sentTo <= theirs.length; sentTo++) {
    let length = 0
    while (isSame(theirs[sentTo - 1 - length], ours[ours.length - 1 - length])) length++
    const sentFrom = sentTo - length
    if (length === 0 || (sentFrom > 0 && !isTelling(theirs, sentFrom, sentTo))) continue
    yield { sentFrom, sentTo, storedFrom: ours.length - length, storedTo: ours.length }
  }
}

/** Runs that begin where the request begins: the client answers anew, or has changed what it said, somewhere before the thread's end. */
function* runsFromTheStart(theirs: readonly Group[], ours: readonly Group[]): Generator<Run> {
  for (let storedFrom = 0; storedFrom < ours.length; storedFrom++) {
    let length = 0
    while (isSame(theirs[length], ours[storedFrom + length])) length++
    if (!isTelling(theirs, 0, length)) continue
    yield { sentFrom: 0, sentTo: length, storedFrom, storedTo: storedFrom + length }
  }
}

function isTelling(groups: readonly Group[], from: number, to: number): boolean {
  if (to - from < 2) return false
  // Every second group is an answer, but in chats that nobody has.
  for (let at = from; at < to; at++) if (groups[at]?.isAnswer) return true
  return false
}

function longest(runs: Iterable<Run>): Run | undefined {
  let best: Run | undefined
  for (const run of runs) if (!best || run.sentTo - run.sentFrom >= best.sentTo - best.sentFrom) best = run
  return best
}

/** The stored groups of the longest common subsequence, the newest ones where there is a choice. */
function pairsOf(known: readonly Group[], ours: readonly Group[]): Group[] {
  const width = ours.length + 1
  const lengths = new Uint16Array((known.length + 1) * width)
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0
  for (let row = 1; row <= known.length; row++) {
    for (let column = 1; column <= ours.length; column++) {
      lengths[row * width + column] = isSame(known[row - 1], ours[column - 1])
        ? at(row - 1, column - 1) + 1
        : Math.max(at(row - 1, column), at(row, column - 1))
    }
  }
  const pairs: Group[] = []
  let [row, column] = [known.length, ours.length]
  while (row > 0 && column > 0) {
    const group = ours[column - 1]
    if (group && isSame(known[row - 1], group)) {
      pairs.push(group)
      row--
      column--
    } else if (at(row - 1, column) > at(row, column - 1)) row--
    else column--
  }
  return pairs
}

/** Of a file that could not be stored only its placeholder is there to compare. */
function isSame(sent: Group | undefined, stored: Group | undefined): boolean {
  if (!sent || !stored || sent.key !== stored.key) return false
  return stored.files.every((file) =>
    sent.files.some((other) => other.size === file.size && other.sha256() === file.sha256()),
  )
}

const UNKNOWN = -1

/** They are compared by the million: numbers are, in no time. */
function numberOf(numbers: Map<string, number>, key: string): number {
  const known = numbers.get(key)
  if (known !== undefined) return known
  numbers.set(key, numbers.size)
  return numbers.size - 1
}

async function groupsOf<T>(
  turns: readonly T[],
  toComparable: (turn: T) => ComparableTurn,
  filesOf: (turn: T) => readonly File[],
  toNumber: (fingerprint: string) => number,
): Promise<Group[]> {
  const groups: Group[] = []
  const pacer = new Pacer()
  for (let from = 0; from < turns.length; ) {
    const first = turns[from]
    if (first === undefined) break
    const whole = [toComparable(first)]
    let to = from + 1
    while (whole[0]?.role === 'assistant' && to < turns.length) {
      const next = turns[to]
      const turn = next && toComparable(next)
      if (turn?.role !== 'assistant') break
      whole.push(turn)
      to++
    }
    await pacer.take(whole.reduce((sum, turn) => sum + sizeOf(turn), 0))
    const print = fingerprint({
      role: whole[0]?.role ?? 'user',
      text: whole.map(({ text }) => text).join('\n'),
      toolCalls: whole.flatMap(({ toolCalls }) => toolCalls),
      toolCallId: whole[0]?.toolCallId,
    })
    const isAnswer = whole[0]?.role === 'assistant'
    groups.push({ from, to, isAnswer, key: toNumber(print), files: turns.slice(from, to).flatMap(filesOf) })
    from = to
  }
  return groups
}

function storedFiles({ files }: StoredTurn): File[] {
  return files.map(({ size, sha256 }) => ({ size, sha256: () => sha256 }))
}

/** Hashed when a stored file of the same size is there to compare, and once. */
function sentFiles({ parts }: ChatTurn): File[] {
  return parts.flatMap((part) => {
    if (part.type !== 'file') return []
    let hash: string | undefined
    const sha256 = () => (hash ??= createHash('sha256').update(Buffer.from(part.base64, 'base64')).digest('hex'))
    return [{ size: decodedSize(part.base64), sha256 }]
  })
}
