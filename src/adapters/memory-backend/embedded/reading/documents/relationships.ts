import { posix } from 'node:path'
import { partText } from './unzip-parts.ts'
import { xmlAttribute, xmlPieces } from './xml-text.ts'

export interface Relationship {
  /** The last word of its type, e.g. `slide`. */
  readonly type: string
  /** Name of the part that is meant. */
  readonly part: string
}

/** What a part of an office file refers to inside it, by id. */
export function relationships(parts: ReadonlyMap<string, Uint8Array>, of: string): Map<string, Relationship> {
  const folder = posix.dirname(of)
  const found = new Map<string, Relationship>()
  for (const { kind, name, value } of xmlPieces(
    partText(parts, posix.join(folder, '_rels', `${posix.basename(of)}.rels`)),
  )) {
    if (kind !== 'open' || name !== 'Relationship' || xmlAttribute(value, 'TargetMode') === 'External') continue
    const target = xmlAttribute(value, 'Target') ?? ''
    const part = target.startsWith('/') ? target.slice(1) : posix.join(folder, target)
    found.set(xmlAttribute(value, 'Id') ?? '', { type: xmlAttribute(value, 'Type')?.split('/').at(-1) ?? '', part })
  }
  return found
}
