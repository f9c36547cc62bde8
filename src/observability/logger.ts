import { pino } from 'pino'
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
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  }
  if (!isReadable(config.format)) return pino(options)
  return pino(options, pretty({ colorize: process.stdout.isTTY, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' }))
}

/** True if the log is written for people rather than machines. */
export function isReadable(format: Config['log']['format']): boolean {
  return format === 'pretty' || (format === 'auto' && process.stdout.isTTY)
}
