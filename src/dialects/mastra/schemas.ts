import { z } from 'zod'
import { cleanText, keptInstant, opaqueObject } from '../../domain/text-schemas.ts'
import type { AddThreadMessagesInput, CloneThreadInput, UpdateThreadInput } from '../../domain/threads/schemas.ts'
import { endUserId } from '../../domain/users/end-users.ts'

/** Rows of a list, at most. */
export const MAX_PAGE = 200

const wholeNumber = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback)

const page = (fallback: number) => ({
  limit: wholeNumber(1, MAX_PAGE, fallback),
  offset: wholeNumber(0, Number.MAX_SAFE_INTEGER, 0),
})

const DATE = 'must be a date, e.g. 2026-05-01T12:00:00Z'
/** A day without a time is its beginning, UTC. */
const instant = z
  .string()
  .refine((text) => /^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text)), DATE)
  .transform((text) => new Date(text))
  .pipe(keptInstant)

export const ResourceQuery = z.object({ resourceId: endUserId.optional() })

export const ListQuery = z.object(page(50))

export const MessagesQuery = z.object({
  ...page(50),
  order: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['asc', 'desc']))
    .default('asc'),
})

export const HistoryQuery = z.object({ ...page(10), from: instant.optional(), to: instant.optional() })

/** Null is as good as nothing. What the verbs check is not checked here. */
const threadFields = { title: cleanText(1_000).nullish(), metadata: opaqueObject.nullish() }

export const CreateBody = z.object({ id: z.string().nullish(), resourceId: endUserId.nullish(), ...threadFields })

export const UpdateBody = z.object({ resourceId: endUserId.nullish(), ...threadFields })

export const CloneBody = z.object({
  newThreadId: z.string().nullish(),
  resourceId: endUserId.nullish(),
  ...threadFields,
  options: z
    .object({
      messageLimit: z.number().int().min(1).nullish(),
      messageFilter: z
        .object({
          startDate: instant.nullish(),
          endDate: instant.nullish(),
          messageIds: z.array(cleanText(64)).max(10_000).nullish(),
        })
        .nullish(),
    })
    .nullish(),
})

const textPart = z.object({ type: z.literal('text'), text: z.string() })

export const MessagesBody = z.object({
  messages: z
    .array(
      z.object({
        role: z.enum(['user', 'assistant']),
        content: z.union([z.string(), z.array(textPart)], 'must be a text, or a list of parts of type text'),
        createdAt: instant.nullish(),
      }),
    )
    .min(1)
    .max(MAX_PAGE),
})

/** What the verbs take. */
export function threadInput({
  title,
  metadata,
}: Pick<z.output<typeof UpdateBody>, 'title' | 'metadata'>): UpdateThreadInput {
  return { ...(title != null && { title }), ...(metadata != null && { metadata }) }
}

export function cloneInput({ newThreadId, options, ...fields }: z.output<typeof CloneBody>): CloneThreadInput {
  const { startDate, endDate, messageIds } = options?.messageFilter ?? {}
  return {
    ...threadInput(fields),
    ...(newThreadId != null && { id: newThreadId }),
    ...(options?.messageLimit != null && { messageLimit: options.messageLimit }),
    ...(startDate && { startDate }),
    ...(endDate && { endDate }),
    ...(messageIds && { messageIds }),
  }
}

export function messagesInput({ messages }: z.output<typeof MessagesBody>): AddThreadMessagesInput {
  return messages.map(({ role, content, createdAt }) => ({
    role,
    text: typeof content === 'string' ? content : content.map(({ text }) => text).join('\n'),
    ...(createdAt && { at: createdAt }),
  }))
}
