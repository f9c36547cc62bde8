import { z } from 'zod'
import { cleanText, keptInstant, opaqueObject } from '../text-schemas.ts'

const MAX_TURNS_AT_ONCE = 100
/** So many turns one answer has, where a number is asked for. */
const MAX_TURNS_LISTED = 5_000
const MAX_CONTENT = 1_000_000
const MAX_SEQ = 2_147_483_647

export const sourceLabel = cleanText(128).min(1)
export const sessionLabel = cleanText(256).min(1)

const ROLE_ALIASES: Readonly<Record<string, string>> = { human: 'user', ai: 'assistant' }

/** Any name of at most 64 characters, in lower case; `human` and `ai` are `user` and `assistant`. */
export const turnRole = cleanText(256)
  .transform((value) => value.trim().toLowerCase())
  .pipe(z.string().min(1).max(64))
  .transform((value) => (Object.hasOwn(ROLE_ALIASES, value) ? (ROLE_ALIASES[value] ?? value) : value))

/** Any JSON value. */
const opaqueValue = z.unknown().superRefine((value, check) => {
  const result = opaqueObject.safeParse({ value })
  if (!result.success) check.addIssue({ code: 'custom', message: result.error.issues[0]?.message })
})

export const TurnInput = z.strictObject({
  role: turnRole,
  content: cleanText(MAX_CONTENT),
  /** Place in the conversation. */
  seq: z.int().min(0).max(MAX_SEQ).optional(),
  occurredAt: keptInstant.optional(),
  payload: opaqueValue.optional(),
  idempotencyKey: cleanText(256).min(1).optional(),
})
export type TurnInput = z.infer<typeof TurnInput>

export const AppendTurnsInput = z.strictObject({
  source: sourceLabel,
  sessionId: sessionLabel,
  turns: z.array(TurnInput).min(1).max(MAX_TURNS_AT_ONCE),
  /** Whether what users say is searched for facts, which become memories. */
  extract: z.boolean(),
  /** Its scalar values go with the facts. */
  metadata: opaqueObject.optional(),
})
export type AppendTurnsInput = z.infer<typeof AppendTurnsInput>

export const ListTurnsInput = z.strictObject({
  source: sourceLabel.optional(),
  sessionId: sessionLabel,
  /** The latest so many; 0: all. */
  limit: z.int().min(0).max(MAX_TURNS_LISTED),
})

export const DeleteTurnsInput = z.strictObject({
  source: sourceLabel.optional(),
  /** A whole session, or the turns of these ids. */
  which: z.union([
    z.strictObject({ sessionId: sessionLabel }),
    z.strictObject({ ids: z.array(z.int().min(1)).min(1).max(MAX_TURNS_LISTED) }),
  ]),
  withFacts: z.boolean(),
})
export type DeleteTurnsInput = z.infer<typeof DeleteTurnsInput>
