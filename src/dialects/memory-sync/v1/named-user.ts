import type { UserContext } from '../../../domain/context.ts'
import { GatewayError } from '../../../domain/errors.ts'
import type { HttpContext } from '../../../http/context.ts'
import { actAsEndUser, headerEndUser, type Sender } from '../auth.ts'
import { refusal } from '../errors.ts'

/**
 * The sender's request for the end user whom it names as `user_id`. 400 if X-End-User-ID names another one; 403 for a user's own key and
 * another user.
 */
export function actAsNamed(c: HttpContext, sender: Sender, userId: string): Promise<UserContext> {
  const header = headerEndUser(c)
  if (header !== undefined && header !== userId) {
    throw refusal('invalid_request', 400, 'END_USER_MISMATCH', 'user_id and X-End-User-ID name different end users.')
  }
  if (sender.user && sender.user.externalId !== userId) {
    throw new GatewayError('forbidden', 'This key belongs to another user than user_id.')
  }
  return actAsEndUser(c, sender, userId)
}
