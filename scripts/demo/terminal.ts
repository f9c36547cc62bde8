import { styleText } from 'node:util'

export interface Answer<T> {
  readonly status: number
  readonly ms: number
  readonly headers: Headers
  readonly body: T
}

/** Ctrl+C ends whatever is under way; the clean-up still happens. */
export const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

/** What went wrong, for the one who runs the demo. */
export class DemoError extends Error {}

export const style = (format: Parameters<typeof styleText>[0], text: string) =>
  styleText(format, text, { stream: process.stdout })
export const say = (text = '') => console.log(text)
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
export const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

/** Announces a step, takes it, and tells what came of it. */
export async function step<T>(
  title: string,
  request: string,
  take: () => Promise<Answer<T>>,
  tell: (body: T, headers: Headers) => readonly string[],
): Promise<T> {
  say(`\n${style('bold', title)}\n  ${style('dim', request)}`)
  try {
    const { status, ms, headers, body } = await take()
    const lines = tell(body, headers)
    say(`  ${style(status === 202 ? 'yellow' : 'green', String(status))} ${style('dim', `${ms.toFixed(0)} ms`)}`)
    for (const line of lines) say(`  ${line}`)
    return body
  } catch (error) {
    throw new DemoError(`"${title}" failed: ${messageOf(error)}`, { cause: error })
  }
}

export async function withProgress<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const { isTTY } = process.stdout
  if (!isTTY) say(`${what} …`)
  const ticker = setInterval(() => isTTY && process.stdout.write(`\r${what} … ${seconds(start)}`), 100)
  try {
    return await work()
  } finally {
    clearInterval(ticker)
    if (isTTY) process.stdout.write('\r\x1b[2K')
    say(style('dim', `${what}: ${seconds(start)}`))
  }
}
