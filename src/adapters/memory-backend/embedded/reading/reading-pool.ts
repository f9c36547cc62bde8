import type { Partition } from '../queries.ts'
import { Turns } from '../turns.ts'
import { type FileReading, type ReadJob, UnreadableFileError } from './file-reading.ts'
import type { ReadingProcess } from './reading-process.ts'

/** Each takes up to a gigabyte for a file of the worst kind; the second starts only with a file that would wait for another user's. */
const PROCESSES = 2

export interface ReadingPool {
  /** As a process does; whoever gives up waiting is rejected as `Turns` does. One user's files are read one at a time: what takes long holds up others only where two users have such. */
  run(partition: Partition, job: ReadJob, signal?: AbortSignal): Promise<FileReading>
  close(): Promise<void>
}

/** A few processes that read files, in turns by user. */
export function createReadingPool(create: () => ReadingProcess): ReadingPool {
  const turns = new Turns({ most: PROCESSES, mostOfOne: 1 })
  const idle = Array.from({ length: PROCESSES }, create)
  const all = [...idle]

  return {
    async run(partition, job, signal) {
      const end = await turns.begin(partition, signal)
      const process = idle.shift()
      try {
        if (!process) throw new UnreadableFileError('nobody is there to read it')
        return await process.run(job, signal)
      } finally {
        // First again: as long as one is enough, the other is not started.
        if (process) idle.unshift(process)
        end()
      }
    },
    async close() {
      await Promise.all(all.map((process) => process.close()))
    },
  }
}
