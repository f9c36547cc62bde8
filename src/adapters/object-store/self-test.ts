import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { type ObjectStore, ObjectStoreError } from '../../ports/object-store.ts'

/** Writes, reads back, compares and deletes a canary. Rejects with whatever the store's methods reject with. */
export async function checkCanary(store: ObjectStore): Promise<void> {
  const bytes = randomBytes(1024)
  const key = `self-test/${randomBytes(16).toString('hex')}`
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await store.put(key, { bytes, size: bytes.length, sha256 }, { contentType: 'application/octet-stream' })
  try {
    const read = await buffer(await store.get(key))
    if (!read.equals(bytes)) throw new ObjectStoreError('the bytes read back are not the bytes written')
  } finally {
    await store.delete(key)
  }
  if (await store.head(key)) throw new ObjectStoreError('an object that was deleted is still there')
}
