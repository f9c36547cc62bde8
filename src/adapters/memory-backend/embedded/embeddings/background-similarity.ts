/** Things that have nothing to do with each other, in two languages. */
export const UNRELATED = [
  'The train to the coast leaves at seven in the morning.',
  'Mix the flour with two eggs and a little salt.',
  'My sister has been learning the violin since spring.',
  'The invoice of the electrician is still unpaid.',
  '他的膝盖在跑步之后又开始疼了。',
  '这个数据库需要一个新的索引。',
]

/**
 * How similar a model finds texts that have nothing in common, of the vectors of such: with some models near 0, with others above 0.7. Measured, so
 * that a similarity says the same whatever the model. 0..0.95
 */
export function backgroundSimilarity(vectors: readonly Float32Array[]): number {
  const similarities = vectors.flatMap((one, index) => vectors.slice(index + 1).map((other) => cosine(one, other)))
  const mean = similarities.reduce((sum, similarity) => sum + similarity, 0) / Math.max(similarities.length, 1)
  return Math.min(0.95, Math.max(0, mean))
}

/** Of vectors of length 1. */
export function cosine(one: Float32Array, other: Float32Array): number {
  let sum = 0
  for (let index = 0; index < one.length; index++) sum += (one[index] ?? 0) * (other[index] ?? 0)
  return sum
}
