import { destination, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from '../config/config.ts'

export type Log = Pick<import('pino').Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Log
}

/** Names under which a secret could reach a log line. */
const SECRETS = ['user_key', 'authorization', 'Authorization', 'secretAccessKey', 'password', 'adminKey', 'apiKey']

/** Lines are written some at a time, and after so many ms: each write wakes another thread. A process that ends writes what is left, unless it is killed. */
const BATCHES = { sync: false, minLength: 4_096, periodicFlush: 50 }

/** JSON lines, or readable ones on a terminal. */
export function createLogger(config: Config['log']): Log {
  const options = {
    level: config.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    serializers: { err: (error: unknown) => serializeError(error) },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  }
  if (!isReadable(config.format)) return pino(options, destination(BATCHES))
  return pino(options, pretty({ colorize: process.stdout.isTTY, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' }))
}

/** True if the log is written for people rather than machines. */
export function isReadable(format: Config['log']['format']): boolean {
  return format === 'pretty' || (format === 'auto' && process.stdout.isTTY)
}

const MAX_DEPTH = 5
/** Beside these the message of an error holds the values of a statement. */
const STATEMENT_FIELDS = ['query', 'params', 'parameters']

/**
 * What was thrown or emitted, for the log. Drivers put the values of a failed statement into their errors, and those are people's
 * messages: nothing but known fields passes.
 */
export function serializeError(error: unknown, depth = 0): unknown {
  if (typeof error === 'string') return withoutValues(error)
  if (typeof error !== 'object' || error === null) return error
  const fields = error as Record<string, unknown>
  const isStatement = STATEMENT_FIELDS.some((name) => name in fields)
  const { message, query, stack } = fields
  return {
    ...scalar('type', error instanceof Error ? error.constructor.name : fields.name),
    ...scalar('code', fields.code),
    ...(isStatement && scalar('query', query)),
    ...(!isStatement && typeof message === 'string' && { message: withoutValues(message) }),
    ...(!isStatement && error instanceof Error && typeof stack === 'string' && { stack: withoutValues(stack) }),
    ...(fields.cause !== undefined && depth < MAX_DEPTH && { cause: serializeError(fields.cause, depth + 1) }),
  }
}

function scalar(name: string, value: unknown): Record<string, unknown> {
  return typeof value === 'string' || typeof value === 'number' ? { [name]: value } : {}
}

/** Drizzle's message is `Failed query: … params: …`, also when another error quotes it. The values may have any number of lines. */
function withoutValues(text: string): string {
  const at = text.search(/\bparams:/)
  return at < 0 ? text : text.slice(0, at).trimEnd()
}
