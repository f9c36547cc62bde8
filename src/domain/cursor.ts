import { z } from 'zod'
import { GatewayError } from './errors.ts'

/** Where a page ended: the sort value and the id that breaks ties. */
export interface Cursor {
  readonly sort: number
  readonly id: string
}

const shape = z.tuple([z.number().int(), z.string().regex(/^[a-z0-9_-]{1,64}$/)])

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.sort, cursor.id])).toString('base64url')
}

/** Throws `invalid_request` for anything that `encodeCursor` did not make. */
export function decodeCursor(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined
  try {
    const [sort, id] = shape.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { sort, id }
  } catch (error) {
    throw new GatewayError('invalid_request', 'cursor: send the next_cursor of the page before, or none.', {
      cause: error,
    })
  }
}

/** Cuts the one row too many off a page that was queried with `limit + 1`. */
export function toPage<T>(
  rows: readonly T[],
  limit: number,
  toCursor: (last: T) => Cursor,
): { items: readonly T[]; nextCursor: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: rows.length > limit && last ? encodeCursor(toCursor(last)) : null }
}
