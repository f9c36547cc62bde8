/** What models are asked for. */
export type ModelPurpose = 'facts' | 'picture' | 'sound'

/** One call of a model. Tokens are estimated where the provider does not tell; 0 where it did not answer. */
export interface ModelUse {
  readonly purpose: ModelPurpose
  readonly outcome: 'answered' | 'failed'
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly ms: number
}

/** What the embedded backend tells of its models. */
export interface ModelEvents {
  modelAsked(use: ModelUse): void
  /** `refused`: of those that the model gave, because they name no message that it was shown, or are too long. */
  factsStored(stored: number, refused: number): void
  /** A model could not draw facts from a stretch of a session in any of its tries, and will not be asked again. */
  factsGivenUp(tries: number, reason: string): void
  /** Nothing more is asked for this user today. */
  budgetSpent(ownerId: string): void
  /** How many sessions wait for facts. */
  sessionsWaiting(count: number): void
}

export interface ModelLogger {
  warn(details: object, message: string): void
}
