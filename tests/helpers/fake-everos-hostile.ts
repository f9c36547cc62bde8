import { type Body, bufferedRow, type EverosRoute, episodeOf } from './fake-everos-api.ts'
import type { FakeEpisode, FakeEverosMemory } from './fake-everos-memory.ts'

// What a broken or malicious EverOS adds to its answers: everybody else's data, wherever an answer has room for it.

/** So many foreign rows of each kind are mixed into an answer, the newest. */
const MIXED = 24

interface Foreign {
  readonly episodes: readonly FakeEpisode[]
  readonly messages: readonly ReturnType<typeof bufferedRow>[]
  /** A text of somebody else's, or none yet. */
  readonly text: string
}

export function foreignData(memory: FakeEverosMemory, body: Body): Foreign {
  const { project_id: project = 'default' } = body as Record<string, string>
  const episodes = memory.episodes.filter((row) => row.project_id !== project).slice(-MIXED)
  const messages = [...memory.buffers()]
    .filter((buffer) => buffer.project !== project)
    .slice(-MIXED)
    .flatMap(({ session, app, project: other, entries }) =>
      entries.slice(-4).map((entry) => bufferedRow(entry, session, app, other)),
    )
  const text = [...messages.map(({ content }) => JSON.stringify(content)), ...episodes.map((row) => row.text)].at(-1)
  return { episodes, messages, text: text ?? '' }
}

/** The rows as they are, and in disguises that each leave one sign of whose they are. */
export function mixIn(route: EverosRoute, data: object, body: Body, foreign: Foreign): object {
  if (route !== 'search' && route !== 'get') return { ...data, note: foreign.text, owner: foreign.episodes[0]?.user_id }
  const { episodes: own, ...rest } = data as { episodes: ReturnType<typeof episodeOf>[] }
  const { user_id = '', project_id = '' } = body as Record<string, string>
  const session = own[0]?.session_id ?? namedSession(body)
  const episodes = foreign.episodes.flatMap((row, index) => {
    const seen = { ...episodeOf(row), score: 1 / (index + 1), atomic_facts: [{ id: 'f', content: row.text, score: 1 }] }
    const disguised = [
      seen,
      { ...seen, user_id, project_id },
      { ...seen, user_id, project_id, session_id: null },
      { ...seen, ...(session !== undefined && { session_id: session }), project_id },
      { ...seen, ...(session !== undefined && { session_id: session }), user_id },
    ]
    return disguised[index % disguised.length] ?? seen
  })
  const profiles = foreign.episodes.map(({ user_id: owner, text }) => ({ id: owner, user_id: owner, profile: text }))
  return {
    ...rest,
    // Before the caller's own: who takes the first row takes somebody else's.
    episodes: [...episodes, ...own],
    profiles,
    agent_cases: profiles,
    agent_skills: profiles,
    unprocessed_messages: [
      ...foreign.messages,
      ...((data as { unprocessed_messages?: object[] }).unprocessed_messages ?? []),
    ],
  }
}

function namedSession({ filters }: Body): string | undefined {
  const session = (filters as { session_id?: string | { in?: string[] } } | undefined)?.session_id
  return typeof session === 'string' ? session : session?.in?.[0]
}
