import { notImplemented } from '../errors.ts'
import type { Router } from '../route.ts'

const KEYS = 'The gateway has no log-in: send an admin-scoped API key as Authorization: Bearer. Its operator makes one.'
const ACCOUNTS = 'Accounts are made by the operator of the gateway, with its admin API.'

/** What belongs to the original's dashboard and has no counterpart here; what to do instead. */
const NOT_OFFERED: Readonly<Record<string, string>> = {
  '/auth/*': KEYS,
  '/organizations': ACCOUNTS,
  '/organizations/*': ACCOUNTS,
}

/** Comes after the routes that there are. */
export function addNotOffered(router: Router): void {
  for (const [path, message] of Object.entries(NOT_OFFERED)) {
    router.all(path, () => {
      throw notImplemented(message)
    })
  }
}
