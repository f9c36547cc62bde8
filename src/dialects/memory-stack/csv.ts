import type { ShownMemory } from './mapping.ts'

const COLUMNS = [
  'id',
  'end_user_id',
  'content',
  'memory_type',
  'confidence',
  'metadata',
  'source_type',
  'created_at',
  'updated_at',
] as const

/** RFC 4180, with a line of names; metadata as JSON. */
export function toCsv(memories: readonly ShownMemory[]): string {
  const lines = memories.map((memory) => COLUMNS.map((column) => cell(memory[column])).join(','))
  return [COLUMNS.join(','), ...lines, ''].join('\r\n')
}

function cell(value: string | number | object | null): string {
  const text = typeof value === 'object' ? (value ? JSON.stringify(value) : '') : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
