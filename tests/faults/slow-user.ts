import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Answer, type FilePart, TestUser } from '../helpers/client.ts'
import { fieldParts, multipartBody, multipartType } from '../helpers/multipart.ts'
import type { Account } from './journal.ts'

const PIECES = 20

/** A client that sends half of its upload, waits until it may go on, and sends the rest little by little. */
export class SlowUser extends TestUser {
  readonly #mayGoOn: Promise<void>
  readonly #restMs: number
  readonly #agent = new Agent({ keepAlive: true })
  /** How the upload ended: `answered`, or the code of the connection's error. */
  ended: string | undefined
  /** The connection stays open after the answer, as far as this end is concerned. */
  socket: Socket | undefined

  constructor(base: string, { id, key }: Account, mayGoOn: Promise<void>, restMs: number) {
    super(base, id, key)
    this.#mayGoOn = mayGoOn
    this.#restMs = restMs
  }

  override async upload(path: string, fields: Record<string, string>, files: readonly FilePart[]): Promise<Answer> {
    const parts = files.map(({ field, name, bytes }) => ({ name: field, fileName: name ?? field, body: bytes }))
    const body = multipartBody([...fieldParts(fields), ...parts])
    const sent = request(this.base + path, {
      method: 'POST',
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.key}`,
        'content-type': multipartType,
        'content-length': String(body.length),
      },
    })
    sent.on('socket', (socket) => (this.socket = socket))
    const answer = new Promise<Answer>((resolve, reject) => {
      sent.on('error', reject)
      sent.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (cause) => reject(new Error('half an answer', { cause })))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: response.statusCode ?? 0, headers: new Headers(), body: JSON.parse(text) })
        })
      })
    })
    const half = Math.floor(body.length / 2)
    sent.write(body.subarray(0, half))
    void this.#sendRest(sent, body.subarray(half))
    try {
      const whole = await answer
      this.ended = 'answered'
      return whole
    } catch (error) {
      this.ended = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      throw error
    }
  }

  async #sendRest(sent: ReturnType<typeof request>, rest: Buffer): Promise<void> {
    await this.#mayGoOn
    const size = Math.ceil(rest.length / PIECES)
    for (let at = 0; at < rest.length && !sent.destroyed; at += size) {
      await pause(this.#restMs / PIECES)
      sent.write(rest.subarray(at, at + size))
    }
    sent.end()
  }
}
