import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Turn {
  readonly id: string
  readonly speaker: string
  readonly text: string
  /** Index of its session. */
  readonly session: number
  /** Unix ms; strictly increasing within a session. */
  readonly timestamp: number
}

export interface Question {
  readonly text: string
  readonly category: number
  /** Ids of the turns that answer it. */
  readonly evidence: readonly string[]
}

export interface Conversation {
  readonly name: string
  /** The first is the user. */
  readonly speakers: readonly [string, string]
  readonly turns: readonly Turn[]
  readonly questions: readonly Question[]
  /** Unix ms: after everything was said. */
  readonly askedAt: number
}

interface GivenFile {
  readonly speakers: readonly [string, string]
  readonly sessions: readonly {
    readonly time: string
    readonly turns: readonly { id: string; speaker: string; text: string; picture?: string }[]
  }[]
  readonly questions: readonly { question: string; category: number; evidence: readonly string[] }[]
}

export const FORMAT = `Wanted: a folder of JSON files, one a conversation:
  { "speakers": ["A", "B"],
    "sessions": [{ "time": "1:56 pm on 8 May, 2023", "turns": [{ "id": "D1:3", "speaker": "A", "text": "…", "picture": "caption, if any" }] }],
    "questions": [{ "question": "…", "category": 1, "evidence": ["D1:3"] }] }
The LoCoMo conversations (Maharana et al., 2024; CC BY-NC 4.0; https://github.com/snap-research/locomo) are such once their sessions are put into a list.`

const DAY = 86_400_000
const SECONDS_BETWEEN_TURNS = 20

function timeOf(text: string): number {
  const [, hour, minute, half, day, month, year] = /(\d+):(\d+) (am|pm) on (\d+) (\w+), (\d+)/i.exec(text) ?? []
  const time = Date.parse(`${day} ${month} ${year} UTC`)
  if (!Number.isFinite(time)) throw new Error(`Not a time of a session: ${text}`)
  return time + (((Number(hour) % 12) + (half?.toLowerCase() === 'pm' ? 12 : 0)) * 60 + Number(minute)) * 60_000
}

function read(path: string, name: string): Conversation {
  const given = JSON.parse(readFileSync(path, 'utf8')) as GivenFile
  const turns = given.sessions.flatMap(({ time, turns }, session) =>
    turns.map(({ id, speaker, text, picture }, index) => ({
      id,
      speaker,
      text: picture === undefined ? text : `${text}\n${picture}`,
      session,
      timestamp: timeOf(time) + index * SECONDS_BETWEEN_TURNS * 1000,
    })),
  )
  const ids = new Set(turns.map(({ id }) => id))
  const questions = given.questions
    .map(({ question, category, evidence }) => ({
      text: question,
      category,
      evidence: [...new Set(evidence)].filter((id) => ids.has(id)),
    }))
    .filter(({ evidence }) => evidence.length > 0)
  return { name, speakers: given.speakers, turns, questions, askedAt: (turns.at(-1)?.timestamp ?? 0) + DAY }
}

export function readConversations(directory: string): Conversation[] {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()
  if (names.length === 0) throw new Error(`No JSON files in ${directory}.`)
  return names.map((name) => read(join(directory, name), name.replace(/\.json$/, '')))
}
