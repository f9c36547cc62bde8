import { BackendError, type BackendOutcome } from '../../../ports/memory-backend.ts'
import { OriginalError } from './original.ts'
import { errorCode } from './wire.ts'

type Verdict = readonly [outcome: BackendOutcome, needsOperator: boolean]

const again: Verdict = ['not_accepted', false]
const operator: Verdict = ['not_accepted', true]
const lost: Verdict = ['unknown', false]

/** What EverOS means by its codes, whatever the status they come with. */
const byCode: Readonly<Record<string, Verdict>> = {
  SESSION_BUSY: again,
  EXTERNAL_SERVICE_UNAVAILABLE: again,
  QUEUE_SATURATED: again,
  CAPABILITY_UNAVAILABLE: operator,
  PROVIDER_NOT_CONFIGURED: operator,
  CONFIGURATION_ERROR: ['unknown', true],
}

/** Statuses that speak of the way to EverOS (a wrong address, a proxy that wants a login) or of the moment. */
const byStatus: Readonly<Record<number, Verdict>> = {
  401: operator,
  403: operator,
  404: operator,
  405: operator,
  407: operator,
  408: again,
  425: again,
  429: again,
}

function verdict(status: number, code: string | undefined): Verdict {
  const known = (code === undefined ? undefined : byCode[code]) ?? byStatus[status]
  if (known) return known
  return status >= 400 && status < 500 ? ['rejected', false] : lost
}

/** What to do about a code, in words of ours. */
const advice: Readonly<Record<string, string>> = {
  CAPABILITY_UNAVAILABLE: 'it lacks a model or a program (LibreOffice) for this; its own log says which',
  PROVIDER_NOT_CONFIGURED: 'a model is not configured there',
  CONFIGURATION_ERROR: 'its settings are at fault; its own log says which',
}

/** An answer with an error status. */
export function refusal(status: number, text: string, at: string): BackendError {
  const code = errorCode(text)
  const [outcome, needsOperator] = verdict(status, code)
  const said = [status, code].filter((part) => part !== undefined).join(' ')
  const hint = code === undefined ? undefined : advice[code]
  return new BackendError(
    outcome,
    code ?? `HTTP_${status}`,
    `EverOS answered ${at} with ${said}${hint === undefined ? '' : `: ${hint}`}`,
    { needsOperator, answered: code !== undefined },
  )
}

/** An answer that is not one of EverOS's, or not complete. The call may have been carried out if it was sent whole. */
export function badAnswer(
  sent: boolean,
  at: string,
  problem: string,
  options: { cause?: unknown; needsOperator?: boolean } = {},
) {
  const message = `EverOS gave no usable answer to ${at}: ${problem}`
  return new BackendError(sent ? 'unknown' : 'not_accepted', 'BAD_ANSWER', message, options)
}

export interface Failure {
  readonly at: string
  readonly cause: unknown
  /** True once the last byte was handed over. */
  readonly sent: boolean
  readonly timedOut: boolean
  readonly aborted: boolean
}

const answerFaults = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'])

/** The transport failed, or a file could not be read while it was being sent. */
export function failure({ at, cause, sent, timedOut, aborted }: Failure): BackendError {
  const outcome: BackendOutcome = sent ? 'unknown' : 'not_accepted'
  if (cause instanceof OriginalError) {
    return new BackendError(outcome, 'BAD_ORIGINAL', `${at} was not sent: ${cause.message}`, {
      cause,
      needsOperator: cause.lost,
    })
  }
  const code = systemCode(cause)
  if (timedOut || code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new BackendError(outcome, 'TIMEOUT', `EverOS did not answer ${at} in time`, { cause, timedOut: true })
  }
  if (aborted) return new BackendError(outcome, 'ABORTED', `${at} was given up`, { cause })
  if (code !== undefined && (answerFaults.has(code) || code.startsWith('HPE_'))) {
    return badAnswer(sent, at, code, { cause })
  }
  return new BackendError(outcome, 'UNREACHABLE', `EverOS broke off or could not be reached for ${at}`, { cause })
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
