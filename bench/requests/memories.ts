import { randomUUID } from 'node:crypto'
import type { Exchange } from '../harness/caller-process.ts'
import type { Caller } from '../harness/site.ts'

export interface MemoryOptions {
  readonly base: string
  /** Of several processes, in turn. */
  readonly bases?: readonly string[]
  readonly call: 'add' | 'search'
  /** Whose API is called; a `statement` takes any request. */
  readonly api: 'gateway' | 'everos' | 'statement'
  readonly users: readonly Caller[]
  /** How many results a search has to have. */
  readonly results: number
}

/** A session is given so many messages; then the next begins. */
const MESSAGES = 20
const QUERY = 'When does the fish market at the harbour of Bergen open?'
const SAID = 'The fish market at the harbour of Bergen opens at nine, and my sister sells salmon there.'
const PATHS = { gateway: '/memories', everos: '/api/v2/memory', statement: '' }

/** Small adds of one message, or searches, by several users. */
export function exchanges(options: MemoryOptions): (worker: number, turn: number) => Exchange {
  const { api, call, users, bases = [options.base] } = options
  const sessions: string[] = []
  return (worker, turn) => {
    if (turn % MESSAGES === 0) sessions[worker] = `chat:${randomUUID()}`
    const user = users[worker % users.length] ?? { id: 'bench', key: '' }
    const isGateway = api === 'gateway'
    const who = isGateway ? {} : { user_id: user.id, project_id: 'bench' }
    const body =
      call === 'search'
        ? { ...who, query: QUERY, top_k: 10 }
        : {
            session_id: sessions[worker],
            messages: [messageOf(user, isGateway)],
            ...(!isGateway && { project_id: 'bench' }),
          }
    return {
      origin: bases[worker % bases.length] ?? options.base,
      path: `${PATHS[api]}/${call}`,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(isGateway && { authorization: `Bearer ${user.key}` }) },
      body: JSON.stringify(body),
      check: ({ status, body: answer }) => {
        const text = answer.toString()
        if (status !== 200 || !isRight(text, options)) {
          throw new Error(`${options.base} ${call}: ${status} ${text.slice(0, 300)}`)
        }
        return false
      },
    }
  }
}

function messageOf({ id }: Caller, isGateway: boolean): object {
  return { role: 'user', sender_id: id, content: SAID, ...(!isGateway && { timestamp: Date.now() }) }
}

/** By what an answer must contain: reading all of it would keep the caller busy, and those it measures waiting. */
function isRight(text: string, { api, call, results }: MemoryOptions): boolean {
  if (api === 'statement') return count(text, '"id":') === 1
  if (call === 'add') return count(text, '"message_count":1') === 1
  return count(text, api === 'gateway' ? '"sources":[{' : '"episode":') === results
}

function count(text: string, part: string): number {
  return text.split(part).length - 1
}
