import { z } from 'zod'
import { resourceStates } from '../../db/schema/user-resources.ts'
import { fileItemTypes } from '../sessions/schemas.ts'
import { cleanText, nameId, spaceFields } from '../text-schemas.ts'

const title = cleanText(500)
const description = cleanText(10_000)

export const AddResourceInput = z.strictObject({
  ...spaceFields,
  title: title.optional(),
  description: description.optional(),
})

export const ListResourcesInput = z.strictObject({
  app_id: nameId.default('default'),
  project_id: nameId.default('default'),
  status: z.enum(resourceStates).optional(),
  content_type: z.enum(fileItemTypes).optional(),
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export const UpdateResourceInput = z
  .strictObject({ title: title.nullable().optional(), description: description.nullable().optional() })
  .refine((change) => Object.keys(change).length > 0, 'send title, description or both')
