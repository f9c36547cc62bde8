import { eq, sql } from 'drizzle-orm'
import { batches } from '../../src/db/schema/batches.ts'
import { type FaultProxy, startFaultProxy } from '../faults/fault-proxy.ts'
import { type TestUser, until } from './client.ts'
import { type FakeEveros, startFakeEveros } from './fake-everos.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { sessionsOf } from './stored.ts'

/** How long a request waits for the backend here. */
export const waitMs = 600

/** A gateway on a fake EverOS that can be slow, wrong or away. */
export interface AwayBackend {
  readonly gateway: TestGateway
  readonly fake: FakeEveros
  readonly proxy: FaultProxy
  close(): Promise<void>
}

export async function startAwayBackend(settings: Record<string, string> = {}): Promise<AwayBackend> {
  const fake = await startFakeEveros()
  const proxy = await startFaultProxy(fake.url)
  const gateway = await startGateway({
    MEMORY_BACKEND: 'everos',
    EVEROS_BASE_URL: proxy.url,
    RELAY_WAIT_MS: String(waitMs),
    BACKEND_ADD_TIMEOUT_MS: '2000',
    BACKEND_SEARCH_TIMEOUT_MS: '500',
    ...settings,
  })
  return {
    gateway,
    fake,
    proxy,
    async close() {
      await gateway.close()
      await proxy.close()
      await fake.close()
    },
  }
}

type Body = Record<string, unknown>

interface SentMessage {
  readonly timestamp: number
  readonly sender_id: string
  readonly content: string | readonly { text?: string }[]
}

/** Bodies of the calls of a route that name the session, whatever became of them. */
export function callsOf({ fake }: AwayBackend, route: string, upstreamSessionId: string): Body[] {
  return fake.requests
    .filter(({ path, body }) => path.endsWith(`/${route}`) && body.session_id === upstreamSessionId)
    .map(({ body }) => body)
}

export function messagesIn(calls: readonly Body[]): SentMessage[] {
  return calls.flatMap(({ messages }) => messages as SentMessage[])
}

export function textOf({ content }: SentMessage): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join('')
}

/** The texts that the backend holds of the session and has not extracted, in its order. */
export function heldTexts(backend: AwayBackend, upstreamSessionId: string): string[] {
  const project = String(callsOf(backend, 'add', upstreamSessionId)[0]?.project_id)
  return backend.fake.memory.buffered(upstreamSessionId, 'default', project).map(({ text }) => text)
}

/** Our row of the user's newest session. */
export async function newestSession({ gateway }: AwayBackend, user: TestUser) {
  const session = (await sessionsOf(gateway, user)).at(-1)
  if (!session) throw new Error('The user has no session.')
  return session
}

export async function statesOf(user: TestUser, session: string): Promise<string[]> {
  const { body } = await user.get(`/sessions/${encodeURIComponent(session)}/messages?limit=200`)
  return body.messages.map(({ state }: { state: string }) => state)
}

/** Has what is queued tried again without waiting for its job's time, until nothing is queued. */
export async function relayQueued(backend: AwayBackend, user: TestUser): Promise<void> {
  const { relay } = backend.gateway.services
  for (const { id } of await sessionsOf(backend.gateway, user)) {
    await until(
      async () => {
        await letMinutesPass(backend, id)
        return relay.drain(id)
      },
      (result) => result === 'idle',
    )
  }
}

/** As if the backend had had minutes to finish what it was sent. */
export async function letMinutesPass({ gateway }: AwayBackend, sessionId: string): Promise<void> {
  await gateway.services.db
    .update(batches)
    .set({
      updatedAt: sql`now() - interval '10 minutes'`,
      settlesAt: sql`${batches.settlesAt} - interval '10 minutes'`,
    })
    .where(eq(batches.sessionId, sessionId))
}
