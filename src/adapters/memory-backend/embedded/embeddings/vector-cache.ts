import type { Partition } from '../queries.ts'

/** Numbers, of four bytes each. */
const MOST_NUMBERS = 16 * 1024 * 1024

/** Vectors that were read lately, by partition: those least lately used go first. */
export class VectorCache {
  readonly #partitions = new Map<string, Map<string, Float32Array>>()
  #numbers = 0

  /** Those that are known, by hash. */
  of(partition: Partition): ReadonlyMap<string, Float32Array> {
    const name = nameOf(partition)
    return this.#partitions.has(name) ? this.#use(name) : new Map()
  }

  keep(partition: Partition, vectors: ReadonlyMap<string, Float32Array>): void {
    // Only what has vectors has a place here: they are what is counted.
    if (vectors.size === 0) return
    const name = nameOf(partition)
    const known = this.#use(name)
    for (const [hash, vector] of vectors) {
      this.#numbers += vector.length - (known.get(hash)?.length ?? 0)
      known.set(hash, vector)
    }
    for (const [oldest] of this.#partitions) {
      if (this.#numbers <= MOST_NUMBERS) return
      this.#drop(oldest)
    }
  }

  forget(partition: Partition): void {
    this.#drop(nameOf(partition))
  }

  #use(name: string): Map<string, Float32Array> {
    const known = this.#partitions.get(name) ?? new Map<string, Float32Array>()
    this.#partitions.delete(name)
    this.#partitions.set(name, known)
    return known
  }

  #drop(name: string): void {
    for (const vector of this.#partitions.get(name)?.values() ?? []) this.#numbers -= vector.length
    this.#partitions.delete(name)
  }
}

function nameOf({ projectId, senderId }: Partition): string {
  return JSON.stringify([projectId, senderId])
}
