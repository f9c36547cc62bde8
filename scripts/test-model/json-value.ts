import type { Conversation, JsonSchema } from './conversation.ts'
import { factOf } from './facts.ts'

/** A value that satisfies the schema, made of the text and of what the conversation says of "my <name of the property>". */
export function valueOf(schema: JsonSchema, conversation: Conversation, text: string): unknown {
  return valueAt(schema, '', { root: schema, conversation, text })
}

interface Source {
  readonly root: JsonSchema
  readonly conversation: Conversation
  readonly text: string
}

function valueAt(schema: JsonSchema, name: string, source: Source): unknown {
  if (typeof schema.$ref === 'string') return valueAt(definition(schema.$ref, source.root), name, source)
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return chosen(schema.enum, source.text)
  const [first] = listOf(schema.anyOf ?? schema.oneOf ?? schema.allOf).filter(({ type }) => type !== 'null')
  if (first) return valueAt(first, name, source)
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object':
      return objectOf(schema, source)
    case 'array':
      return [valueAt(recordOf(schema.items), name.replace(/s$/, ''), source)]
    case 'boolean':
      return false
    case 'integer':
    case 'number':
      return Number(/\d+/.exec(source.text)?.[0] ?? 0)
    case 'null':
      return null
    default:
      return textAt(name, source)
  }
}

function objectOf(schema: JsonSchema, source: Source): Record<string, unknown> {
  const properties = Object.entries(recordOf(schema.properties))
  return Object.fromEntries(properties.map(([name, property]) => [name, valueAt(recordOf(property), name, source)]))
}

function textAt(name: string, { conversation, text }: Source): string {
  const words = name.replace(/(?<=[a-z])(?=[A-Z])|_/g, ' ').toLowerCase()
  return factOf(words, conversation) ?? text
}

/** The one that the text names, or the first. */
function chosen(values: readonly unknown[], text: string): unknown {
  return values.find((value) => typeof value === 'string' && text.includes(value)) ?? values[0]
}

/** `#/$defs/Name` */
function definition(pointer: string, root: JsonSchema): JsonSchema {
  return pointer
    .split('/')
    .slice(1)
    .reduce<JsonSchema>((at, key) => recordOf(at[key]), root)
}

const recordOf = (value: unknown): JsonSchema =>
  typeof value === 'object' && value !== null ? (value as JsonSchema) : {}
const listOf = (value: unknown): JsonSchema[] => (Array.isArray(value) ? value.map(recordOf) : [])
