import { z } from 'zod'
import { cleanText, freeId, sessionName, spaceFields } from '../text-schemas.ts'

export const searchScopes = ['current_chat', 'resources', 'all_user_memory'] as const
export type SearchScope = (typeof searchScopes)[number]

/** Unix ms, or a date as ISO 8601. */
const moment = z.union([
  z.number().int().nonnegative(),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
])

export const SearchInput = z
  .strictObject({
    ...spaceFields,
    query: cleanText(4096).regex(/\S/, 'must not be empty'),
    scope: z.array(z.enum(searchScopes)).min(1).max(3).default(['all_user_memory']),
    conversation_id: freeId.max(123).optional(),
    session_id: sessionName.optional(),
    top_k: z.number().int().min(1).max(100).default(5),
    min_score: z.number().optional(),
    from: moment.optional(),
    to: moment.optional(),
    explain: z.boolean().default(false),
  })
  .refine(
    (input) =>
      !input.scope.includes('current_chat') || input.conversation_id !== undefined || input.session_id !== undefined,
    {
      path: ['conversation_id'],
      error: 'scope current_chat needs conversation_id or session_id',
    },
  )
  .refine((input) => input.conversation_id === undefined || input.session_id === undefined, {
    path: ['conversation_id'],
    error: 'send conversation_id or session_id, not both',
  })
  .refine((input) => input.from === undefined || input.to === undefined || input.from <= input.to, {
    path: ['from'],
    error: 'must not be later than to',
  })
export type SearchInput = z.infer<typeof SearchInput>
