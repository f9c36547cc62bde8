/** What the backend said to a batch that it took. */
export interface BatchAnswer {
  /** The backend's own id of the call. */
  readonly requestId: string
  readonly status: 'accumulated' | 'extracted' | 'no_extraction'
}

/** What became of one attempt to relay a batch. */
export type BatchOutcome =
  /** `isReleased`: nothing else was left to relay, and the session was given back. */
  | { readonly state: 'relayed'; readonly answer: BatchAnswer; readonly isReleased?: boolean }
  /** Refused for good. */
  | { readonly state: 'rejected'; readonly code: string; readonly message: string }
  /** Given up, until someone asks for it again. */
  | { readonly state: 'failed'; readonly code: string; readonly message: string }
  /** To be tried again. */
  | { readonly state: 'waiting'; readonly code: string }
  /** The batch is gone: its session was deleted. */
  | { readonly state: 'gone' }
