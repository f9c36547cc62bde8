import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { access, constants, link, lstat, open, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import {
  type ByteRange,
  ObjectNotFoundError,
  type ObjectStore,
  ObjectStoreError,
  type SpooledFile,
} from '../../ports/object-store.ts'
import {
  assertInside,
  makeDurableDirectory,
  makeDurableRoot,
  readExactly,
  syncDirectory,
  writeDurably,
} from './local-files.ts'
import { assertObjectKey } from './object-key.ts'
import { checkCanary } from './self-test.ts'
import { openSpooled } from './spooled-file.ts'

const staleAfterMs = 60 * 60 * 1000
const rememberedDirectories = 10_000

/** Files in a folder: the object store of a gateway without S3. The folder is created; old leftovers in it are removed. */
export function createLocalObjectStore(options: { root: string }): ObjectStore {
  try {
    return new LocalObjectStore(resolve(options.root))
  } catch (error) {
    throw asStoreError(error, `STORAGE_DIR: cannot open ${resolve(options.root)}`)
  }
}

class LocalObjectStore implements ObjectStore {
  readonly kind = 'local'
  readonly #root: string
  readonly #incoming: string
  /** Directories whose way from the root this process has fsynced. */
  readonly #durable = new Set<string>()

  constructor(root: string) {
    this.#root = root
    // No key can name it: keys have no dots.
    this.#incoming = join(root, '.incoming')
    makeDurableRoot(root)
    makeDurableRoot(this.#incoming)
    removeStale(this.#incoming)
  }

  async put(key: string, file: SpooledFile, options: { contentType: string; signal?: AbortSignal }): Promise<void> {
    const target = this.#path(key)
    const { signal } = options
    try {
      signal?.throwIfAborted()
      await this.#makeDirectory(dirname(target))
      if (file.path === undefined || !(await this.#link(file.path, file.size, target, signal))) {
        await this.#write(file, target, signal)
      }
      await syncDirectory(dirname(target))
    } catch (error) {
      // What was made durable may have been removed by hand.
      this.#durable.clear()
      signal?.throwIfAborted()
      if (isMissing(error)) await this.#requireRoot()
      throw asStoreError(error, `cannot store ${key}`)
    }
  }

  async get(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable> {
    const path = this.#path(key)
    const { range, signal } = options
    try {
      signal?.throwIfAborted()
      await assertInside(this.#root, dirname(path))
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        const stats = await handle.stat()
        if (!stats.isFile()) throw new ObjectNotFoundError(`no object ${key}`)
        const { start, end } = range ?? { start: 0, end: stats.size - 1 }
        if (range && !(start >= 0 && start <= end && end < stats.size)) {
          throw new ObjectStoreError(`bytes ${start}-${end} are not inside the ${stats.size} bytes of ${key}`)
        }
        signal?.throwIfAborted()
        return readExactly(handle, start, end - start + 1, signal)
      } catch (error) {
        await handle.close()
        throw error
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (isMissing(error)) {
        await this.#requireRoot()
        throw new ObjectNotFoundError(`no object ${key}`, { cause: error })
      }
      throw asStoreError(error, `cannot read ${key}`)
    }
  }

  async head(key: string, options: { signal?: AbortSignal } = {}): Promise<{ size: number } | undefined> {
    const path = this.#path(key)
    options.signal?.throwIfAborted()
    try {
      await assertInside(this.#root, dirname(path))
      const stats = await lstat(path)
      return stats.isFile() ? { size: stats.size } : undefined
    } catch (error) {
      if (!isMissing(error)) throw asStoreError(error, `cannot look up ${key}`)
      await this.#requireRoot()
      return undefined
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key)
    try {
      await assertInside(this.#root, dirname(path))
      await unlink(path)
      await syncDirectory(dirname(path))
    } catch (error) {
      if (!isMissing(error)) throw asStoreError(error, `cannot delete ${key}`)
      await this.#requireRoot()
    }
  }

  uri(key: string): string {
    return pathToFileURL(this.#path(key)).href
  }

  async presignGet(key: string): Promise<undefined> {
    assertObjectKey(key)
  }

  async selfTest(): Promise<void> {
    try {
      await checkCanary(this)
    } catch (error) {
      const message = `STORAGE_DIR: the files in ${this.#root} failed the start-up test: ${describe(error)}`
      throw new ObjectStoreError(message, { cause: error })
    }
  }

  async ping(options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      await access(this.#incoming, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (error) {
      throw asStoreError(error, `STORAGE_DIR: ${this.#root} is not there or not writable`)
    }
  }

  async close(): Promise<void> {}

  /** Without it a volume that is not mounted would look like a store that holds nothing. */
  async #requireRoot(): Promise<void> {
    await this.ping()
  }

  #path(key: string): string {
    assertObjectKey(key)
    return join(this.#root, ...key.split('/'))
  }

  async #makeDirectory(directory: string): Promise<void> {
    if (this.#durable.has(directory)) return
    // Making the way would also make a root that is gone, e.g. the empty mount point of a volume.
    await this.#requireRoot()
    await makeDurableDirectory(this.#root, directory)
    if (this.#durable.size >= rememberedDirectories) this.#durable.clear()
    this.#durable.add(directory)
  }

  /** A second name, not another one: who spooled the file may have to put it again. False where it has to be copied. */
  async #link(path: string, size: number, target: string, signal?: AbortSignal): Promise<boolean> {
    await using handle = await openSpooled(path, size)
    await handle.sync()
    signal?.throwIfAborted()
    try {
      await link(path, target)
      return true
    } catch (error) {
      if (CANNOT_LINK.has(codeOf(error) ?? '')) return false
      throw error
    }
  }

  async #write(file: SpooledFile, target: string, signal?: AbortSignal): Promise<void> {
    const temporary = join(this.#incoming, randomBytes(16).toString('hex'))
    await this.#makeDirectory(this.#incoming)
    try {
      await writeDurably(temporary, file, signal)
      signal?.throwIfAborted()
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }
}

/** On another file system, or on one that knows no links; the object is there already, and is to be overwritten. */
const CANNOT_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EEXIST'])

function removeStale(directory: string): void {
  const before = Date.now() - staleAfterMs
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    // Another gateway on the same folder may remove it first.
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats && stats.mtimeMs < before) rmSync(path, { force: true, recursive: true })
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
}

function describe(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'STORAGE_DIR: the disk is full'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return 'STORAGE_DIR: the gateway may not write or read there'
  return error instanceof Error ? error.message : String(error)
}

function asStoreError(error: unknown, what: string): Error {
  if (error instanceof ObjectNotFoundError || error instanceof ObjectStoreError) return error
  return new ObjectStoreError(`${what}: ${describe(error)}`, { cause: error })
}
