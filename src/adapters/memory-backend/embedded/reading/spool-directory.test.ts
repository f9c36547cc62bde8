import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { makeSpoolDirectory, sweepSpoolDirectories } from './spool-directory.ts'

it('removes what was left long ago, and nothing else', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'spool-directory-test-'))
  const [old, fresh] = [await makeSpoolDirectory(parent), await makeSpoolDirectory(parent)]
  await writeFile(join(old, 'file'), 'x')
  await writeFile(join(parent, 'another'), 'x')
  const twoHoursAgo = new Date(Date.now() - 7_200_000)
  for (const path of [old, join(parent, 'another')]) await utimes(path, twoHoursAgo, twoHoursAgo)
  await sweepSpoolDirectories(parent)
  expect((await readdir(parent)).toSorted()).toEqual(['another', basename(fresh)].toSorted())
  await rm(parent, { recursive: true })
  await expect(sweepSpoolDirectories(parent)).resolves.toBeUndefined()
})
