import { documentTerms } from '../../src/text/tokenise.ts'
import type { Conversation } from './conversation.ts'

// How the test model finds in the text of a request what it is asked for. It knows nothing else.

export const UNKNOWN = 'I do not know.'

/** What is said of somebody's `thing`, the last time it is: "My name is Alex", "User's name is Alex", "Your name is Alex". */
export function factOf(thing: string, { turns }: Conversation): string | undefined {
  const words = thing.trim().split(/\s+/).map(RegExp.escape).join(String.raw`\s+`)
  const whose = String.raw`(?:my|your|their|his|her|user['’]s)`
  const statement = new RegExp(String.raw`\b${whose} ${words}(?: is|:) (?<value>[^\n.,;!?"<]+)`, 'giu')
  const values = turns.flatMap(({ text }) => [...text.matchAll(statement)].map(({ groups }) => groups?.value ?? ''))
  // What follows may be another statement: "My name is Alex and I prefer concise answers."
  return values
    .at(-1)
    ?.replace(/ (?:and|but) .*$/, '')
    .trim()
}

/** The statement that shares most words with the question, said to "you"; undefined if none shares two, or all there are. */
export function closestStatement(question: string, { turns }: Conversation): string | undefined {
  const asked = new Set(wordsOf(question))
  const statements = turns.slice(0, -1).flatMap(({ text }) => sentencesOf(text))
  const [best] = statements
    .map((text) => ({ text, shared: new Set(wordsOf(text).filter((word) => asked.has(word))).size }))
    .toSorted((one, other) => other.shared - one.shared)
  return best && best.shared >= Math.max(1, Math.min(2, asked.size)) ? saidToYou(best.text) : undefined
}

const PLACEHOLDER = /\[((?:Image|Audio|Video|File) #\d+(?:: [^\]\n]+)?)\](.*?)(?=\n\d+\. \[|\n<\/|$)/gs

/** The placeholders of that kind in the context, the last one first, and what is said behind them. */
export function rememberedMedia(kind: string, { turns }: Conversation): { name: string; said: string }[] {
  return turns
    .flatMap(({ text }) => [...text.matchAll(PLACEHOLDER)])
    .map(([, name = '', said = '']) => ({ name, said: said.replace(/\s+/g, ' ').trim() }))
    .filter(({ name }) => name.toLowerCase().startsWith(kind))
    .toReversed()
}

/** What a naive model obeys: an order in a system message, unless it stands between a tag and its end. */
export function orderIn({ turns }: Conversation): string | undefined {
  const system = turns.flatMap(({ role, text }) => (role === 'system' ? [text] : [])).join('\n')
  const unfenced = system.replaceAll(/<([\w-]+)\b[^>]*>.*?<\/\1>/gs, '')
  return /ignore all (?:previous )?instructions and (?:say|answer|reply) "([^"\n]+)"/i.exec(unfenced)?.[1]
}

function sentencesOf(text: string): string[] {
  return text
    .split(/\n|(?<=[.!?])\s+/)
    .map((line) => line.replace(/^\W+/, '').trim())
    .filter((line) => line !== '' && !line.endsWith('?') && line !== UNKNOWN)
}

function wordsOf(text: string): string[] {
  return documentTerms(text).flatMap(({ term, kind }) => (kind === 'word' ? [term] : []))
}

/** "I live in Oslo" → "You live in Oslo". */
function saidToYou(text: string): string {
  return text
    .replace(/^(?:The user|User|I) (?:is|am) /, 'You are ')
    .replace(/^(?:The user|User) (\w+?)s /, 'You $1 ')
    .replace(/^I /, 'You ')
    .replace(/^(?:My|The user's|User's) /, 'Your ')
}
