import { constants, type FileHandle, open } from 'node:fs/promises'
import { ObjectStoreError } from '../../ports/object-store.ts'

/** Opens a spooled file to be moved or copied; it must be a regular file of the size that was counted. */
export async function openSpooled(path: string, size: number): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const stats = await handle.stat()
  if (stats.isFile() && stats.size === size) return handle
  await handle.close()
  throw new ObjectStoreError(`the spooled file has ${stats.size} bytes, not ${size}`)
}
