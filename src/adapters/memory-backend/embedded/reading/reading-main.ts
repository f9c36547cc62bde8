import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type ReadAnswer, type ReadJob, type ReadSettings, UnreadableFileError } from './file-reading.ts'
import { TextRecognition } from './ocr/text-recognition.ts'
import { readSpooledFile } from './read-spooled-file.ts'

// The reading process: answers each job it is sent, and dies with its parent or of too much memory, even while a parser holds
// this thread.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
new Worker(new URL('./reading-watch.ts', import.meta.url), {
  workerData: process.ppid,
  resourceLimits: { maxOldGenerationSizeMb: 8 },
}).unref()

const { ocrLanguages, keepGps } = JSON.parse(process.argv[2] ?? '') as ReadSettings
const recognition = ocrLanguages.length > 0 ? new TextRecognition(ocrLanguages) : undefined

async function answer(job: ReadJob): Promise<ReadAnswer> {
  try {
    const recogniser = recognition?.forFile(dirname(job.path))
    return { reading: await readSpooledFile(job, { keepGps, ...(recogniser && { recogniser }) }) }
  } catch (error) {
    return {
      unreadable: error instanceof UnreadableFileError ? error.message : 'it is damaged or not what it seems to be',
    }
  }
}

process.on('message', (job: ReadJob) => {
  void answer(job).then((result) => process.send?.(result))
})
