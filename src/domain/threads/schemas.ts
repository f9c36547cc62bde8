import { z } from 'zod'
import { cleanText, keptInstant, opaqueObject, threadId } from '../text-schemas.ts'

const title = cleanText(1_000)

export const CreateThreadInput = z.strictObject({
  id: threadId.optional(),
  title: title.optional(),
  metadata: opaqueObject.optional(),
})
export type CreateThreadInput = z.input<typeof CreateThreadInput>

export const UpdateThreadInput = z.strictObject({ title: title.optional(), metadata: opaqueObject.optional() })
export type UpdateThreadInput = z.input<typeof UpdateThreadInput>

export const CloneThreadInput = CreateThreadInput.extend({
  /** The newest so many of those that the other options leave. */
  messageLimit: z.number().int().min(1).optional(),
  /** Both inclusive. */
  startDate: keptInstant.optional(),
  endDate: keptInstant.optional(),
  messageIds: z.array(cleanText(64)).max(10_000).optional(),
})
export type CloneThreadInput = z.input<typeof CloneThreadInput>

/** Clocks of applications may be ahead by so much. */
const CLOCKS_MS = 60_000

/** In their order. */
export const AddThreadMessagesInput = z
  .array(
    z.strictObject({
      role: z.enum(['user', 'assistant']),
      text: cleanText(1024 * 1024).min(1),
      /** When it was said; now, if nothing is given. */
      at: keptInstant.refine((date) => date.getTime() < Date.now() + CLOCKS_MS, 'must not be in the future').optional(),
    }),
  )
  .min(1)
  .max(200)
export type AddThreadMessagesInput = z.input<typeof AddThreadMessagesInput>

/** A page of a list. */
export interface ThreadPage {
  /** 1..200 */
  readonly limit: number
  readonly offset: number
}
