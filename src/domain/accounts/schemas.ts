import { z } from 'zod'
import { keyScopes } from '../../db/schema/api-keys.ts'
import { cleanText, nameId } from '../text-schemas.ts'

/** A rotated key may live on for so long: 30 days. */
const MAX_GRACE_SECONDS = 30 * 86_400

const label = cleanText(128).refine((value) => value.trim() !== '', 'must not be empty')

const page = {
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
}

export const CreateAccountInput = z.strictObject({ name: label, plan: nameId.optional() })

export const UpdateAccountInput = z
  .strictObject({ name: label.optional(), plan: nameId.nullable().optional() })
  .refine((change) => Object.keys(change).length > 0, 'send name, plan or both')

export const ListAccountsInput = z.strictObject({ name: label.optional(), ...page })

export const CreateApiKeyInput = z.strictObject({
  name: label,
  project_id: nameId.optional(),
  scopes: z.array(z.enum(keyScopes)).min(1).max(keyScopes.length).default(['read', 'write']),
  plan: nameId.optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
})

export const ListApiKeysInput = z.strictObject(page)

export const RotateApiKeyInput = z.strictObject({
  grace_seconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
})

export const ListEndUsersInput = z.strictObject({ project_id: nameId.optional(), ...page })
