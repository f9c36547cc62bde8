import { pino, stdSerializers } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from '../config/config.ts'

export type Log = Pick<import('pino').Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Log
}

/** Names under which a secret could reach a log line. */
const SECRETS = ['user_key', 'authorization', 'Authorization', 'secretAccessKey', 'password', 'adminKey']

/** JSON lines, or readable ones on a terminal. */
export function createLogger(config: Config['log']): Log {
  const options = {
    level: config.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    serializers: { err: serializeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  }
  if (!isReadable(config.format)) return pino(options)
  return pino(options, pretty({ colorize: process.stdout.isTTY, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' }))
}

/** True if the log is written for people rather than machines. */
export function isReadable(format: Config['log']['format']): boolean {
  return format === 'pretty' || (format === 'auto' && process.stdout.isTTY)
}

/** An error for the log. Drivers put the values of a failed statement into their errors, and those are people's messages. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if ('params' in error || 'parameters' in error || 'detail' in error) {
    return {
      type: error.name,
      ...('code' in error && { code: error.code }),
      ...('query' in error && { query: error.query }),
      ...(!('query' in error) && { message: error.message }),
      ...(error.cause !== undefined && { cause: serializeError(error.cause) }),
    }
  }
  const { type, message, stack } = stdSerializers.err(error)
  return {
    type,
    message,
    ...('code' in error && { code: error.code }),
    stack: error.cause === undefined ? stack : error.stack,
    ...(error.cause !== undefined && { cause: serializeError(error.cause) }),
  }
}
