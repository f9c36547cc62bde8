import { GatewayError } from '../domain/errors.ts'

/** Several times what 500 messages with their files and tool calls need. */
const MAX_JSON_VALUES = 20_000

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b]

/**
 * Refuses a JSON text of too many values before anything parses it: they take seconds and hundreds of megabytes where as many
 * bytes in a few long strings take milliseconds. Looks at the text once, and need not be right about one that is no JSON.
 */
export function checkJsonValues(text: string): void {
  let count = 1
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) at = endOfString(text, at)
    else if (char === COMMA || char === BRACKET || char === BRACE) count++
    if (count > MAX_JSON_VALUES) throw tooMany()
  }
}

function tooMany(): GatewayError {
  return new GatewayError(
    'invalid_request',
    `The JSON may have ${MAX_JSON_VALUES} values at most, in all its arrays and objects together. Send the rest in another request.`,
    { details: { max_json_values: MAX_JSON_VALUES } },
  )
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) break
    if (char === BACKSLASH) at++
  }
  return at
}
