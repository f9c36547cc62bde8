/** What PostgreSQL's `vector` holds. */
const MOST_DIMENSIONS = 16_000

/** Vectors of length 1 and of one dimension, made of what a model answered; or what is wrong with it, in words. */
export function toUnitVectors(given: readonly unknown[]): Float32Array[] | string {
  const vectors: Float32Array[] = []
  for (const numbers of given) {
    if (!Array.isArray(numbers) || numbers.length === 0) return 'a vector that is no list of numbers'
    if (numbers.length > MOST_DIMENSIONS) return 'a vector of too many numbers'
    if (numbers.length !== (vectors[0]?.length ?? numbers.length)) return 'vectors of different dimensions'
    const vector = unitVector(numbers)
    if (!vector) return 'a vector without a direction'
    vectors.push(vector)
  }
  return vectors
}

/** Undefined if it has none: zeros, or what is no finite number. */
function unitVector(numbers: readonly unknown[]): Float32Array | undefined {
  let squares = 0
  for (const number of numbers) {
    if (typeof number !== 'number') return undefined
    squares += number * number
  }
  const length = Math.sqrt(squares)
  if (!Number.isFinite(length) || length === 0) return undefined
  return Float32Array.from(numbers as readonly number[], (number) => number / length)
}
