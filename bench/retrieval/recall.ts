import type { Conversation, Question } from './conversations.ts'

export const DEPTHS = [1, 5, 10, 25] as const

/** Finds turns for a question: ids, best first, each once. */
export type Finder = (conversation: Conversation, question: Question) => readonly string[] | Promise<readonly string[]>

export interface Outcome {
  readonly conversation: string
  readonly category: number
  /** Share of the evidence among the first turns, for each depth. */
  readonly recall: readonly number[]
}

export async function measure(conversations: readonly Conversation[], find: Finder): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const conversation of conversations) {
    for (const question of conversation.questions) {
      const found = await find(conversation, question)
      const recall = DEPTHS.map((depth) => {
        const first = new Set(found.slice(0, depth))
        return question.evidence.filter((id) => first.has(id)).length / question.evidence.length
      })
      outcomes.push({ conversation: conversation.name, category: question.category, recall })
    }
  }
  return outcomes
}

export function meanRecall(outcomes: readonly Outcome[]): number[] {
  return DEPTHS.map(
    (_, index) => outcomes.reduce((sum, { recall }) => sum + (recall[index] ?? 0), 0) / Math.max(outcomes.length, 1),
  )
}

const percent = (share: number): string => (100 * share).toFixed(1).padStart(6)

export function line(label: string, outcomes: readonly Outcome[]): string {
  return `${label.padEnd(34)}${meanRecall(outcomes).map(percent).join('')}`
}

export function header(label: string): string {
  return `${label.padEnd(34)}${DEPTHS.map((depth) => `  R@${depth}`.padStart(6)).join('')}`
}

/** Lines by conversation, by category, and the mean of all. */
export function table(title: string, outcomes: readonly Outcome[]): string[] {
  const groups = (label: string, key: (outcome: Outcome) => string) =>
    [...new Set(outcomes.map(key))].sort().map((name) => {
      const members = outcomes.filter((outcome) => key(outcome) === name)
      return line(`  ${label}${name} (${members.length})`, members)
    })
  return [
    header(title),
    ...groups('', ({ conversation }) => conversation),
    ...groups('category ', ({ category }) => String(category)),
    line(`  all (${outcomes.length})`, outcomes),
  ]
}
