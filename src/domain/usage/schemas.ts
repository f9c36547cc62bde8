import { z } from 'zod'
import { isKeptInstant, OUTSIDE_TIME } from '../text-schemas.ts'

const date = z.iso
  .date()
  .refine((text) => isKeptInstant(new Date(text)), OUTSIDE_TIME)
  .describe('YYYY-MM-DD, UTC')

export const UsageInput = z.strictObject({
  from: date.optional(),
  to: date.optional(),
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
})
