import { z } from 'zod'

// What EverOS sends, as far as it is used here. Other keys are ignored: they differ from version to version.

const isoTime = z.string().transform((text, context) => {
  // Without a zone it is UTC, as EverOS stores it.
  const milliseconds = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  if (!Number.isNaN(milliseconds)) return milliseconds
  context.addIssue({ code: 'custom', message: 'not a time' })
  return z.NEVER
})

const episode = z.object({
  id: z.string(),
  user_id: z.string().nullish(),
  project_id: z.string().default('default'),
  /** null: merged from several sessions by the server's own consolidation. */
  session_id: z.string().nullish(),
  timestamp: isoTime,
  summary: z.string().nullish(),
  subject: z.string().nullish(),
  episode: z.string().nullish(),
  score: z.number().nullish(),
  atomic_facts: z.array(z.object({ content: z.string() })).default([]),
})

export type Episode = z.infer<typeof episode>

const envelope = <T extends z.ZodType>(data: T) => z.object({ request_id: z.string(), data })

/** `queued` (202): the session has a backlog in the server's own durable queue. */
export const addAnswer = envelope(
  z.object({ message_count: z.number().int(), status: z.enum(['accumulated', 'extracted', 'queued']) }),
)

export const flushAnswer = envelope(z.object({ status: z.enum(['extracted', 'no_extraction', 'queued']) }))

export const searchAnswer = envelope(
  z.object({
    episodes: z.array(episode),
    unprocessed_messages: z.array(z.object({ session_id: z.string(), timestamp: isoTime })).default([]),
  }),
)

export const getAnswer = envelope(z.object({ episodes: z.array(episode) }))

export const deleteAnswer = z.object({ request_id: z.string() })

export const healthAnswer = z.looseObject({
  status: z.string(),
  capabilities: z.looseObject({ embed: z.boolean().optional() }).optional(),
})

const errorEnvelope = z.object({
  error: z.object({ code: z.string().max(64), message: z.string().default('') }),
})

/** EverOS's own error in an answer, if it is one. */
export function errorAnswer(text: string): { code: string; message: string } | undefined {
  const parsed = errorEnvelope.safeParse(parseJson(text))
  return parsed.success ? { ...parsed.data.error, message: parsed.data.error.message.slice(0, 500) } : undefined
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
