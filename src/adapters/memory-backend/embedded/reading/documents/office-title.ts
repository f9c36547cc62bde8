import { partText } from './unzip-parts.ts'
import { xmlPieces } from './xml-text.ts'

export const CORE_PROPERTIES = 'docProps/core.xml'

/** The title in an office file's properties, ready to be spread into a reading. */
export function officeTitle(parts: ReadonlyMap<string, Uint8Array>): { title?: string } {
  for (const { kind, name, value } of xmlPieces(partText(parts, CORE_PROPERTIES))) {
    if (kind === 'text' && name === 'title' && value.trim() !== '') return { title: value.trim() }
  }
  return {}
}
