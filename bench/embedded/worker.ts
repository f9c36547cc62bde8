import { fork } from 'node:child_process'

/** What a process of the benchmark is: it is given one task, and answers it. */
export function answering<Task, Result>(work: (task: Task) => Promise<Result>): void {
  process.once('message', (task: Task) => {
    work(task).then(
      (result) => process.send?.(result ?? null, () => process.disconnect()),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
        process.exit(1)
      },
    )
  })
}

/** Has a new process of `file` do one task. */
export function ask<Task, Result>(file: 'filler' | 'adder' | 'asker', task: Task): Promise<Result> {
  const child = fork(`${import.meta.dirname}/${file}.ts`)
  return new Promise((resolve, reject) => {
    child.once('message', (result) => resolve(result as Result))
    child.once('exit', (code) => reject(new Error(`The process ${file} ended (${code}): see above.`)))
    child.send(task as object)
  })
}
