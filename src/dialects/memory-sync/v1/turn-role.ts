import type { AddTurnBody } from './schemas.ts'

const ROLES: Readonly<Record<string, string>> = {
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  ai: 'assistant',
  system: 'system',
  tool: 'tool',
}
const PREFIX = /^\s*([a-z]+)\s*:\s*/i

/**
 * Who says a turn, and what: by `role`, else by a prefix of the text (`assistant: …`), which is not part of what is said, else by the head of
 * `speaker` (`user@…`), else by `metadata.role`; without any of these it is the user.
 */
export function roleAndText({ role, text, speaker, metadata }: AddTurnBody): { role: string; text: string } {
  const [prefix, word] = PREFIX.exec(text) ?? []
  const ofPrefix = knownRole(word)
  const rest = prefix === undefined || ofPrefix === undefined ? text : text.slice(prefix.length)
  const said = rest.trim() === '' ? text : rest
  const given = role?.trim().toLowerCase()
  const shown = given
    ? (knownRole(given) ?? given)
    : (ofPrefix ?? knownRole(speaker?.split('@')[0]) ?? knownRole(metadata?.['role']))
  return { role: shown ?? 'user', text: said }
}

function knownRole(word: unknown): string | undefined {
  return typeof word === 'string' && Object.hasOwn(ROLES, word.trim().toLowerCase())
    ? ROLES[word.trim().toLowerCase()]
    : undefined
}
