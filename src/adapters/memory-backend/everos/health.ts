import type { BackendHealth } from '../../../ports/memory-backend.ts'
import type { EverosClient } from './client.ts'
import { healthAnswer, parseJson } from './wire.ts'

const TIMEOUT_MS = 1_500

/** Never rejects. `embeds`: the server has an embedding model. */
export async function askHealth(
  client: EverosClient,
  baseUrl: string,
): Promise<{ health: BackendHealth; embeds: boolean }> {
  try {
    const { status, text } = await client.exchange({ path: '/health', timeoutMs: TIMEOUT_MS })
    const answer = healthAnswer.safeParse(parseJson(text))
    if (status !== 200 || !answer.success) return unavailable(baseUrl, `answered ${status}, and not as EverOS does`)
    const { data } = answer
    const health = { status: data.status === 'ok' ? ('ok' as const) : ('unavailable' as const), baseUrl, data }
    return { health, embeds: data.capabilities?.embed ?? false }
  } catch (error) {
    return unavailable(baseUrl, error instanceof Error ? error.message : String(error))
  }
}

function unavailable(baseUrl: string, reason: string) {
  return { health: { status: 'unavailable' as const, baseUrl, data: { reason } }, embeds: false }
}
