import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const PREFIX = 'memory-gateway-reading-'
/** No file is read for so long: what is older was left by a process that was killed. */
const STALE_MS = 3_600_000

/** A new, private directory for one file. */
export function makeSpoolDirectory(parent: string): Promise<string> {
  return mkdtemp(join(parent, PREFIX))
}

/** Removes what killed processes left; never rejects, as others may be at it too. */
export async function sweepSpoolDirectories(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter((each) => each.startsWith(PREFIX))) {
    const path = join(parent, name)
    const made = await stat(path).catch(() => undefined)
    if (made && Date.now() - made.mtimeMs > STALE_MS) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined)
    }
  }
}
