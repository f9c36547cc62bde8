import dns from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, type Dispatcher } from 'undici'
import {
  type WebhookAnswer,
  type WebhookRequest,
  WebhookSendError,
  type WebhookSender,
} from '../../ports/webhook-sender.ts'
import { isPublicAddress } from './public-address.ts'
import { retryAfterSeconds } from './retry-after.ts'

export interface HttpSenderOptions {
  /** Also call addresses that are not on the public internet. */
  readonly allowPrivate: boolean
  readonly connectMs?: number
  /** The whole attempt. */
  readonly totalMs?: number
  /** How names are resolved, all addresses of a name at once. */
  readonly lookup?: LookupFunction
}

const CONNECT_MS = 2_000
const TOTAL_MS = 10_000
/** So much of an answer is read and kept. */
const ANSWER_BYTES = 4 * 1024
const URL_LENGTH = 2_048
/** Connections to one address at a time. */
const CONNECTIONS = 16

const NOT_PUBLIC = 'The address is not on the public internet.'

/** Thrown by the look-up, and found again as the cause of a failed connection. */
class ForbiddenAddressError extends Error {
  override name = 'ForbiddenAddressError'
}

/** Webhooks over HTTP/1.1: one request at a time limit, without redirects, retries or proxies. */
export function createHttpWebhookSender(options: HttpSenderOptions): WebhookSender {
  const { allowPrivate, connectMs = CONNECT_MS, totalMs = TOTAL_MS, lookup = dns.lookup as LookupFunction } = options
  const agent = new Agent({
    connections: CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: 16 * 1024,
    keepAliveTimeout: 4_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    // What is checked is what is connected to: a name that resolves differently a moment later gains nothing.
    connect: { timeout: connectMs, lookup: allowPrivate ? lookup : refusePrivate(lookup) },
  })
  const objectionTo = (url: string) => objection(url, allowPrivate)
  return {
    objectionTo,
    async post(request, signal) {
      const reason = objectionTo(request.url)
      if (reason !== undefined) throw new WebhookSendError('forbidden', reason)
      const deadline = AbortSignal.timeout(totalMs)
      try {
        return await exchange(agent, request, AbortSignal.any([signal, deadline]))
      } catch (error) {
        throw toSendError(error, { isStopped: signal.aborted, isLate: deadline.aborted, totalMs })
      }
    },
    close: () => agent.destroy(),
  }
}

function objection(text: string, allowPrivate: boolean): string | undefined {
  if (text.length > URL_LENGTH) return `The address is longer than ${URL_LENGTH} characters.`
  if (!URL.canParse(text)) return 'The address is not a URL.'
  const { protocol, username, password, hostname } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') return 'The address must begin with https:// or http://.'
  if (username !== '' || password !== '') return 'The address must not have a user name or password in it.'
  if (allowPrivate) return undefined
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return isPublicAddress(host) ? undefined : NOT_PUBLIC
  return /(^|\.)localhost\.?$/.test(host) ? NOT_PUBLIC : undefined
}

/** One address that is not public condemns the name: who mixes them has no good in mind. */
function refusePrivate(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const found = typeof addresses === 'string' ? [{ address: addresses, family: isIP(addresses) }] : addresses
      const [first] = found
      if (!first || !found.every(({ address }) => isPublicAddress(address))) {
        return callback(new ForbiddenAddressError(NOT_PUBLIC), '', 0)
      }
      return options.all ? callback(null, found) : callback(null, first.address, first.family)
    })
  }
}

async function exchange(
  agent: Agent,
  { url, headers, body }: WebhookRequest,
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  const answer = await agent.request({
    origin: new URL(url).origin,
    path: new URL(url).pathname + new URL(url).search,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
    signal,
  })
  return {
    status: answer.statusCode,
    body: await readBeginning(answer.body),
    retryAfterSeconds: retryAfterSeconds(answer.headers['retry-after'], Date.now()),
  }
}

/** The rest is not waited for: its connection is closed. */
async function readBeginning(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= ANSWER_BYTES) break
  }
  const text = Buffer.concat(chunks).subarray(0, ANSWER_BYTES).toString()
  // Cut in the middle of a character, or no text at all: what PostgreSQL would refuse goes.
  return text.replaceAll('\0', '').toWellFormed()
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The name of the host is not known.',
  EAI_AGAIN: 'The name of the host could not be resolved.',
  ECONNREFUSED: 'The host refused the connection.',
  ECONNRESET: 'The connection broke.',
  EPIPE: 'The connection broke.',
  UND_ERR_SOCKET: 'The connection broke.',
  EHOSTUNREACH: 'The host cannot be reached.',
  ENETUNREACH: 'The host cannot be reached.',
  UND_ERR_HEADERS_OVERFLOW: 'The headers of the answer are too long.',
}

function toSendError(
  error: unknown,
  { isStopped, isLate, totalMs }: { isStopped: boolean; isLate: boolean; totalMs: number },
): WebhookSendError {
  if (isStopped) return new WebhookSendError('stopped', 'The gateway is ending.', error)
  if (isLate) return new WebhookSendError('timeout', `No whole answer within ${totalMs / 1_000} seconds.`, error)
  const codes: string[] = []
  for (const cause of causesOf(error)) {
    if (cause instanceof ForbiddenAddressError) return new WebhookSendError('forbidden', NOT_PUBLIC, error)
    if ('code' in cause && typeof cause.code === 'string') codes.push(cause.code)
  }
  if (codes.some((code) => code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')) {
    return new WebhookSendError('timeout', 'The host took too long to accept the connection.', error)
  }
  const known = codes.map((code) => CAUSES[code]).find((text) => text !== undefined)
  const isTls = codes.some((code) => /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code))
  return new WebhookSendError(
    'unreachable',
    known ?? (isTls ? 'The certificate of the host is not valid.' : 'The host could not be called.'),
    error,
  )
}

function causesOf(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const inner = error instanceof AggregateError ? error.errors.flatMap(causesOf) : []
  return [error, ...inner, ...causesOf(error.cause)]
}
