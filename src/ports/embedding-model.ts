/** Turns texts into vectors whose directions are close where the texts mean alike. Failures are `ModelError`s, as of a chat model: `rejected` without `needsOperator` speaks of the texts. An aborted `signal` rejects with its reason. */
export interface EmbeddingModel {
  /** Names the vectors' space: vectors of different models are never compared. */
  readonly model: string
  /** Texts that one call takes at most. */
  readonly batchSize: number
  /** One vector of length 1 for each text, in their order, all of one dimension. No adapter retries by itself. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>
  /** Releases its sockets or its worker. Idempotent; no other call may follow. */
  close(): Promise<void>
}
