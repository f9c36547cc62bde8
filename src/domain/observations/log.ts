import { estimateTokens } from '../../text/estimate-tokens.ts'

export const priorities = ['high', 'medium', 'low'] as const
export type Priority = (typeof priorities)[number]

/** One thing that was observed. */
export interface Observation {
  /** UTC: `2026-05-03`. */
  readonly date: string
  /** UTC: `14:05`. */
  readonly time: string
  readonly priority: Priority
  readonly text: string
  readonly details: readonly string[]
}

/** Where the conversation stands; the newest of the log holds. */
export interface Hints {
  readonly currentTask?: string | undefined
  readonly nextStep?: string | undefined
}

const MARKS: Readonly<Record<Priority, string>> = { high: '🔴', medium: '🟡', low: '🟢' }
const LONGEST_LINE = 1_000
const MOST_DETAILS = 20

/**
 * Text of others as part of one line of the log: it cannot begin a line, and holds no `<` that could end the block of a prompt in which the
 * log is shown.
 */
export function onOneLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\s\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll('<', '&lt;')
    .trim()
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1).toWellFormed()}…` : line
}

/** Grouped by date, in the order given; `''` of none. */
export function renderLog(observations: readonly Observation[], hints: Hints = {}): string {
  const lines: string[] = []
  let date: string | undefined
  for (const observation of observations) {
    if (observation.date !== date) {
      if (date !== undefined) lines.push('')
      date = observation.date
      lines.push(`Date: ${date}`)
    }
    lines.push(`* ${MARKS[observation.priority]} (${observation.time}) ${onOneLine(observation.text)}`)
    const details = observation.details.map(onOneLine).filter((detail) => detail !== '')
    lines.push(...details.slice(0, MOST_DETAILS).map((detail) => `  * ${detail}`))
  }
  const { currentTask = '', nextStep = '' } = hints
  if (currentTask.trim() !== '') lines.push(`Current task: ${onOneLine(currentTask)}`)
  if (nextStep.trim() !== '') lines.push(`Next: ${onOneLine(nextStep)}`)
  return lines.join('\n')
}

/** The log with more at its end: what is there already stays as it is, letter by letter, so that caches of prompts hold. */
export function appendToLog(log: string, more: string): string {
  if (log === '' || more === '') return log + more
  const [first = '', ...rest] = more.split('\n')
  if (first !== lastDateLine(log)) return `${log}\n\n${more}`
  return rest.length === 0 ? log : `${log}\n${rest.join('\n')}`
}

export function lineCount(log: string): number {
  return log === '' ? 0 : log.split('\n').length
}

/** What follows the first lines of a log, as a log of its own. */
export function logAfter(log: string, lines: number): string {
  const all = log.split('\n')
  const before = all.slice(0, lines).join('\n')
  const rest = all.slice(lines).join('\n').replace(/^\n+/, '')
  if (rest === '' || rest.startsWith('Date: ')) return rest
  const date = lastDateLine(before)
  return date === undefined ? rest : `${date}\n${rest}`
}

function lastDateLine(log: string): string | undefined {
  return log.split('\n').findLast((line) => line.startsWith('Date: '))
}

export interface ParsedLog {
  readonly observations: readonly Observation[]
  readonly hints: Hints
}

const ENTRY = /^\* (🔴|🟡|🟢) \((\d\d:\d\d)\) (.*)$/u

/** What `renderLog` and `appendToLog` made. */
export function parseLog(log: string): ParsedLog {
  const observations: (Observation & { details: string[] })[] = []
  let hints: Hints = {}
  let date = ''
  for (const line of log.split('\n')) {
    const [, mark, time = '', text = ''] = ENTRY.exec(line) ?? []
    if (mark !== undefined) observations.push({ date, time, priority: priorityOf(mark), text, details: [] })
    else if (line.startsWith('  * ')) observations.at(-1)?.details.push(line.slice(4))
    else if (line.startsWith('Date: ')) date = line.slice(6)
    else if (line.startsWith('Current task: ')) hints = { ...hints, currentTask: line.slice(14) }
    else if (line.startsWith('Next: ')) hints = { ...hints, nextStep: line.slice(6) }
  }
  return { observations, hints }
}

function priorityOf(mark: string): Priority {
  return priorities.find((priority) => MARKS[priority] === mark) ?? 'low'
}

/** Parts of a log of at most so many tokens each, or of one observation that has more. */
export function slicesOf({ observations }: ParsedLog, mostTokens: number): Observation[][] {
  const slices: Observation[][] = []
  let room = 0
  for (const observation of observations) {
    const tokens = estimateTokens(renderLog([observation]))
    const last = slices.at(-1)
    if (last && tokens <= room) last.push(observation)
    else {
      slices.push([observation])
      room = mostTokens
    }
    room -= tokens
  }
  return slices
}
