import type { AddResult, FlushResult } from '../../ports/memory-backend.ts'

/** What became of one attempt to relay a batch. */
export type BatchOutcome =
  | { readonly state: 'relayed'; readonly answer: AddResult | FlushResult }
  /** Refused for good. */
  | { readonly state: 'rejected'; readonly code: string; readonly message: string }
  /** Given up, until someone asks for it again. */
  | { readonly state: 'failed'; readonly code: string; readonly message: string }
  /** To be tried again. */
  | { readonly state: 'waiting'; readonly code: string }
  /** The batch is gone: its session was deleted. */
  | { readonly state: 'gone' }
