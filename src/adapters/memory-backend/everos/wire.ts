import { z } from 'zod'

// What EverOS sends, as far as it is used here. Other keys are ignored: they differ from version to version. Beside the
// memories themselves no free text passes: an id, a code or a version that looks otherwise may be anybody's words.

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

/** Hex, with or without dashes. */
const requestId = z.string().transform((id) => (/^[0-9a-f-]{1,64}$/i.test(id) ? id : 'unknown'))

const envelope = <T extends z.ZodType>(data: T) => z.object({ request_id: requestId, data })

/** `queued` (202): the session has a backlog in the server's own durable queue. */
export const addAnswer = envelope(
  z.object({ message_count: z.number().int(), status: z.enum(['accumulated', 'extracted', 'queued']) }),
)

export const flushAnswer = envelope(z.object({ status: z.enum(['extracted', 'no_extraction', 'queued']) }))

export const searchAnswer = envelope(
  z.object({
    episodes: z.array(episode),
    unprocessed_messages: z
      .array(z.object({ project_id: z.string().default('default'), session_id: z.string(), timestamp: isoTime }))
      .default([]),
  }),
)

export const getAnswer = envelope(z.object({ episodes: z.array(episode) }))

export const deleteAnswer = z.object({ request_id: z.string() })

const words = z.array(z.string().regex(/^[a-z_]{1,40}$/))

export const healthAnswer = z.object({
  status: z.string().regex(/^[a-z_]{1,40}$/),
  version: z
    .string()
    .regex(/^\d+(?:\.\d+){1,3}[a-z0-9.+-]{0,16}$/)
    .optional()
    .catch(undefined),
  capabilities: z
    .object({
      llm: z.boolean().optional(),
      embed: z.boolean().optional(),
      rerank: z.boolean().optional(),
      multimodal_llm: z.boolean().optional(),
      parser: z.boolean().optional(),
    })
    .optional()
    .catch(undefined),
  disabled_features: words.optional().catch(undefined),
  cascade: z.object({ healthy: z.boolean().optional(), pending: z.number().optional() }).optional().catch(undefined),
})

const errorEnvelope = z.object({
  error: z.object({
    code: z
      .string()
      .regex(/^[A-Z]+(?:_[A-Z]+)*$/)
      .max(64),
  }),
})

/** The code of EverOS's own error in an answer, if it is one. Its message may quote anything, so nobody reads it. */
export function errorCode(text: string): string | undefined {
  const parsed = errorEnvelope.safeParse(parseJson(text))
  return parsed.success ? parsed.data.error.code : undefined
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
