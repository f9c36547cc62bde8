import { type Fields, fieldsOf } from './parts.ts'

/** A JSON object; undefined if the text is none. */
export function parsedFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? fieldsOf(value) : undefined
  } catch {
    return undefined
  }
}
