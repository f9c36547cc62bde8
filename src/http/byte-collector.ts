/** Fewer chunks than that are not worth joining. */
const MANY = 1_024
/** Chunks of so many bytes each, on the average, may stay as they are. */
const LARGE = 1_024

/**
 * Collects the chunks of a stream. Those that are as small as a byte are joined on the way: each would need two hundred times that, and whoever
 * sends decides how small they are.
 */
export class ByteCollector {
  #joined: Buffer[] = []
  #fresh: Buffer[] = []
  #freshSize = 0
  #size = 0

  /** In bytes. */
  get size(): number {
    return this.#size
  }

  add(chunk: Buffer): void {
    this.#fresh.push(chunk)
    this.#freshSize += chunk.length
    this.#size += chunk.length
    if (this.#fresh.length < MANY) return
    if (this.#freshSize < MANY * LARGE) this.#joined.push(Buffer.concat(this.#fresh, this.#freshSize))
    else this.#joined.push(...this.#fresh)
    this.#fresh = []
    this.#freshSize = 0
  }

  /** All that was added. */
  bytes(): Buffer {
    const chunks = [...this.#joined, ...this.#fresh]
    const [only] = chunks
    const bytes = only && chunks.length === 1 ? only : Buffer.concat(chunks, this.#size)
    this.#joined = [bytes]
    this.#fresh = []
    this.#freshSize = 0
    return bytes
  }

  clear(): void {
    this.#joined = []
    this.#fresh = []
    this.#freshSize = 0
    this.#size = 0
  }
}
