/** Below that the garbage collector does it as well. */
const WORTH_IT = 4 * 1024

/**
 * Gives the memory of a buffer back at once, unless other buffers lie in the same memory. Left to the garbage collector, the
 * megabytes of a stream wait for it, and it marks all of the heap each time some of them have come together: more than half the
 * processor time of an upload. The buffer is empty afterwards. So only who has it alone may free it, and not while the system
 * still reads from it or writes to it.
 */
export function freeBuffer({ buffer, byteLength }: Buffer): void {
  if (byteLength >= WORTH_IT && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
