/** The SQLSTATE of a database error, however deep the driver or drizzle wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^[0-9A-Z]{5}$/.test(cause.code)) return cause.code
  }
  return undefined
}

const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
])

/** True if the database is away or has no room for us now, rather than the statement at fault. */
export function isDatabaseAway(error: unknown): boolean {
  const state = sqlState(error)
  // 08: connection, 40: deadlock, 53: resources, 57: shut down or cancelled for time, 25P03: idle in transaction for too long.
  if (state && (/^(08|40|53|57)/.test(state) || state === '25P03')) return true
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && AWAY.has(cause.code)) return true
  }
  return false
}

/** True if a row was to be given a user who is gone: no value for `user_id`, or one that refers to nothing. */
export function lacksUser(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== '23502' && state !== '23503') return false
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // The two drivers name these differently.
    const { column, column_name, constraint, constraint_name } = cause as unknown as Record<string, unknown>
    if ((column ?? column_name) === 'user_id' || String(constraint ?? constraint_name).endsWith('_users_id_fk'))
      return true
  }
  return false
}
