import { randomUUID } from 'node:crypto'
import type { Answer, Exchange } from '../harness/caller-process.ts'
import type { Caller } from '../harness/site.ts'

export interface CycleOptions {
  readonly base: string
  readonly api: 'gateway' | 'everos'
  readonly users: readonly Caller[]
}

const STEPS = ['add', 'flush', 'search'] as const
const TURNS = [
  ['user', 'My sister opened a fish market at the harbour of Bergen last spring.'],
  ['assistant', 'Congratulations to her. The harbour of Bergen is a fine place for fish.'],
] as const

/** Adds a session of two messages, flushes it, searches, and begins again. A search that found anything is noted. */
export function exchanges({ base, api, users }: CycleOptions): (worker: number, turn: number) => Exchange {
  const sessions: string[] = []
  const [user = { id: 'bench', key: '' }] = users
  const isGateway = api === 'gateway'
  const scope = { app_id: 'default', project_id: isGateway ? 'default' : 'bench' }
  return (worker, turn) => {
    const step = STEPS[turn % STEPS.length] ?? 'search'
    if (step === 'add') sessions[worker] = `chat:${randomUUID()}`
    const session = { session_id: sessions[worker], ...scope }
    const bodies = {
      add: { ...session, messages: messagesOf(user) },
      flush: session,
      search: { ...scope, ...(!isGateway && { user_id: user.id }), query: 'Who has a fish market?', top_k: 5 },
    }
    return {
      origin: base,
      path: `${isGateway ? '/memories' : '/api/v1/memory'}/${step}`,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(isGateway && { authorization: `Bearer ${user.key}` }) },
      body: JSON.stringify(bodies[step]),
      check: (answer) => check(answer, step, base),
    }
  }
}

function messagesOf({ id }: Caller): object[] {
  const now = Date.now()
  return TURNS.map(([role, content], at) => ({
    role,
    sender_id: role === 'user' ? id : 'bench_assistant',
    timestamp: now + at,
    content,
  }))
}

const EXPECTED = { add: '"message_count":2', flush: '"extracted"', search: '' }

function check({ status, body }: Answer, step: (typeof STEPS)[number], base: string): boolean {
  const text = body.toString()
  if (status !== 200 || !text.includes(EXPECTED[step]))
    throw new Error(`${base} ${step}: ${status} ${text.slice(0, 300)}`)
  return step === 'search' && text.includes('fish market')
}
