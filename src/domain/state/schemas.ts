import { z } from 'zod'
import { MAX_CONTENT } from '../memories/schemas.ts'
import { cleanText, opaqueObject } from '../text-schemas.ts'

const MAX_STATE_LISTED = 5_000
const MAX_STATE_FOUND = 100
const MAX_SEGMENTS = 20
const MAX_VALUE_BYTES = 1024 * 1024
/** An index entry of PostgreSQL has 2,704 bytes: names, user, and some for each segment. */
const MAX_NAME_BYTES = 2_000

export const stateSource = cleanText(128).min(1)
const segment = cleanText(256)
const prefix = z.array(segment).max(MAX_SEGMENTS)
const namespace = prefix.min(1)
const key = cleanText(512).min(1)

const placeFields = { source: stateSource, namespace, key }

function fitsIndex({ source, namespace: segments, key: name }: { source: string; namespace: string[]; key: string }) {
  return [source, name, ...segments].reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= MAX_NAME_BYTES
}
const TOO_LONG = `namespace, key and source may have ${MAX_NAME_BYTES} bytes together at most`

/** Where a value is: a key in a namespace, of one source. */
export const StatePlace = z.strictObject(placeFields).refine(fitsIndex, TOO_LONG)
export type StatePlace = z.infer<typeof StatePlace>

/** As the database gives it back: -0 as 0, for one, so that the same value is known again. */
const storableObject = opaqueObject
  .transform((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)
  .refine(
    (value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_VALUE_BYTES,
    `may have ${MAX_VALUE_BYTES} bytes of JSON at most`,
  )

export const PutStateInput = z
  .strictObject({
    ...placeFields,
    value: storableObject,
    /** What search compares; without it the JSON of the value. */
    text: cleanText(MAX_CONTENT).optional(),
    /** Whether the text is searched for facts, which become memories. */
    extract: z.boolean(),
    /** Whether the memories go that were drawn from the value that this one replaces. */
    replaceFacts: z.boolean(),
    /** Its scalar values go with the facts. */
    metadata: opaqueObject.optional(),
  })
  .refine(fitsIndex, TOO_LONG)
export type PutStateInput = z.infer<typeof PutStateInput>

/** All values whose namespaces begin with these segments. */
const areaFields = { source: stateSource, prefix }
const pageFields = { limit: z.int().min(1).max(MAX_STATE_LISTED), offset: z.int().min(0).max(1_000_000) }

export const ListStateInput = z.strictObject({ ...areaFields, ...pageFields })

export const SearchStateInput = z.strictObject({
  ...areaFields,
  query: cleanText(10_000).min(1),
  limit: z.int().min(1).max(MAX_STATE_FOUND),
})

export const DeleteStateInput = z.strictObject({
  source: stateSource,
  namespace,
  /** Without them the whole namespace, but not those below it. */
  keys: z.array(key).max(MAX_STATE_LISTED).optional(),
  withFacts: z.boolean(),
})

export const ListNamespacesInput = z.strictObject({
  ...areaFields,
  ...pageFields,
  /** Longer namespaces are cut to so many segments. */
  maxDepth: z.int().min(1).max(MAX_SEGMENTS).optional(),
})
