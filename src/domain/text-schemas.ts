import { z } from 'zod'

/** PostgreSQL refuses NUL, and turns a lone surrogate into U+FFFD, by which two ids could become one. */
export function isCleanText(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

const UNCLEAN = 'must be well-formed Unicode without NUL'

/** Free text of a caller. */
export const cleanText = (maxLength: number) => z.string().max(maxLength).refine(isCleanText, UNCLEAN)

/** PostgreSQL knows no year 0, writes those after 9999 in another way, and a year of fewer digits is read back as another one. */
export function isKeptInstant(date: Date): boolean {
  const year = date.getUTCFullYear()
  return year >= 1000 && year <= 9999
}

export const OUTSIDE_TIME = 'must be in the years 1000 to 9999'

/** A point in time of a caller. */
export const keptInstant = z.date().refine(isKeptInstant, OUTSIDE_TIME)

/** An id that the caller chose for a person, an app or a project. */
export const nameId = z
  .string()
  .regex(/^[A-Za-z0-9_.@+-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ . @ + -')
  .refine((value) => value !== '.' && value !== '..', 'must not be . or ..')

/** An id that the caller chose for a session or conversation. */
export const freeId = z.string().min(1).max(128).refine(isCleanText, UNCLEAN)

/** The id that an application chose for a thread. */
export const threadId = cleanText(256)
  .min(1)
  .refine((value) => value !== '.' && value !== '..', 'must not be . or .., which no URL can name')

/** An id of a session that is there: a caller's, or `thread:` and the thread's. */
export const sessionName = cleanText(263).min(1)

export const spaceFields = {
  app_id: nameId.default('default'),
  project_id: nameId.default('default'),
}

const MAX_DEPTH = 16

function isCleanJson(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isCleanText(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth >= MAX_DEPTH) return false
  return Object.entries(value).every(([key, inner]) => isCleanText(key) && isCleanJson(inner, depth + 1))
}

/** A JSON object that is kept as it is, e.g. a tool call. */
export const opaqueObject = z
  .record(z.string(), z.unknown())
  .refine((value) => isCleanJson(value, 0), `${UNCLEAN}, at most ${MAX_DEPTH} levels deep`)
