import { ObjectStoreError } from '../../ports/object-store.ts'

/** No dots: neither `..` nor the names that an adapter keeps for itself. 255 is a file system's limit, 1024 S3's. */
const grammar = /^[a-z0-9_-]{1,255}(?:\/[a-z0-9_-]{1,255})*$/

/** Throws unless the key is one that the port allows. */
export function assertObjectKey(key: string): void {
  if (key.length > 1024 || !grammar.test(key)) {
    throw new ObjectStoreError(`not an object key: ${JSON.stringify(key.slice(0, 100))}`)
  }
}
