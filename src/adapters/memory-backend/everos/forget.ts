import type { EverosClient } from './client.ts'
import { badAnswer, refusal } from './errors.ts'
import { jsonBody } from './request-body.ts'
import { deleteAnswer, errorCode, parseJson } from './wire.ts'

export interface ForgetTarget {
  readonly projectId: string
  readonly senderId: string
  readonly sessionId?: string
}

/** Newer servers delete by session or by owner; others do not know the route. */
export async function forget(
  client: EverosClient,
  prefix: string,
  target: ForgetTarget,
  options: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<'forgotten' | 'unsupported'> {
  const path = `${prefix}/delete`
  const { status, text } = await client.exchange({
    path,
    body: jsonBody({
      app_id: 'default',
      project_id: target.projectId,
      ...(target.sessionId === undefined ? { user_id: target.senderId } : { session_id: target.sessionId }),
    }),
    ...options,
  })
  if (status === 404 && errorCode(text) === 'NOT_FOUND') return 'forgotten'
  if (status === 404 || status === 405) return 'unsupported'
  if (status >= 300) throw refusal(status, text, path)
  if (!deleteAnswer.safeParse(parseJson(text)).success) throw badAnswer(true, path, 'its shape is not known')
  return 'forgotten'
}
