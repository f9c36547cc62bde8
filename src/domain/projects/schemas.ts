import { z } from 'zod'
import { cleanText } from '../text-schemas.ts'

export const ProjectInput = z.object({
  name: cleanText(200).refine((value) => value.trim() !== '', 'must not be empty'),
})
