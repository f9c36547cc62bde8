import type { EmbeddingModel } from '../../src/ports/embedding-model.ts'

/** A model that has embedded these texts beforehand: a slow one would let searches go by words alone, as they wait for it no longer than they should. */
export async function preparedModel(model: EmbeddingModel, texts: readonly string[]): Promise<EmbeddingModel> {
  const known = new Map<string, Float32Array>()
  for (let start = 0; start < texts.length; start += model.batchSize) {
    const batch = texts.slice(start, start + model.batchSize)
    for (const [index, vector] of (await model.embed(batch)).entries()) known.set(batch[index] ?? '', vector)
  }
  return {
    model: model.model,
    batchSize: model.batchSize,
    async embed(asked, signal) {
      const vectors = asked.map((text) => known.get(text))
      if (vectors.every((vector) => vector !== undefined)) return vectors
      return model.embed(asked, signal)
    },
    close: () => model.close(),
  }
}
