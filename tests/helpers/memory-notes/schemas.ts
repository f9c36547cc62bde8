import { z } from 'zod'
import { cleanText } from '../../../src/domain/text-schemas.ts'
import { endUserId } from '../../../src/domain/users/end-users.ts'

// z.object leaves out what it does not know: clients of the service may send more.

export const NoteBody = z.object({ person: endUserId, note: cleanText(10_000).min(1) })

export const FindQuery = z.object({
  person: endUserId,
  words: cleanText(8_000).min(1),
  most: z.coerce.number().int().min(1).max(50).default(10),
})
