import type { Edit, JsonSpans, Span } from '../json-spans.ts'
import { textOf } from './parts.ts'

/** Puts values into an array, after the elements at its beginning whose role is one of `leading`. */
export function insertAfterLeading(
  spans: JsonSpans,
  array: Span,
  leading: ReadonlySet<string>,
  values: readonly unknown[],
): Edit[] {
  if (values.length === 0) return []
  const text = values.map((value) => JSON.stringify(value)).join(',')
  let at = array.start + 1
  for (const element of spans.elements(array)) {
    if (!leading.has(roleOf(spans, element) ?? ''))
      return [{ start: at, end: at, text: at === array.start + 1 ? `${text},` : `,${text}` }]
    at = element.end
  }
  return [{ start: at, end: at, text: at === array.start + 1 ? text : `,${text}` }]
}

/** The role of the first element. */
export function firstRole(spans: JsonSpans, array: Span): string | undefined {
  for (const element of spans.elements(array)) return roleOf(spans, element)
  return undefined
}

function roleOf(spans: JsonSpans, element: Span): string | undefined {
  const role = spans.memberOf(element, 'role')
  return role && textOf(spans.parse(role))
}
