import { z } from 'zod'
import { nameId } from '../text-schemas.ts'

export const CreateUserInput = z.strictObject({ user_id: nameId })
export type CreateUserInput = z.infer<typeof CreateUserInput>

/** What a request shows to prove who it is. */
export interface Credentials {
  readonly userKey: string | undefined
  /** If given, it must be the key's. */
  readonly userId: string | undefined
}
