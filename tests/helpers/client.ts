import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked at freely in tests
type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

export interface FilePart {
  readonly field: string
  readonly name?: string
  readonly bytes: Uint8Array
  readonly type?: string
}

export const picture = new Uint8Array(readFileSync('tests/simple-multimodal-image.png'))
export const tone = new Uint8Array(readFileSync('tests/simple-tone.wav'))

export async function call(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}

/** A user of the native API, who sends their key as a bearer token. */
export class TestUser {
  readonly base: string
  readonly id: string
  readonly key: string

  constructor(base: string, id: string, key: string) {
    this.base = base
    this.id = id
    this.key = key
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return call(this.base + path, { headers: { authorization: `Bearer ${this.key}`, ...headers } })
  }

  send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return call(this.base + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', path, body, headers)
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path)
  }

  /** Fields first, then files, unless `filesFirst`. */
  upload(
    path: string,
    fields: Record<string, string>,
    files: readonly FilePart[],
    options: { filesFirst?: boolean; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const form = new FormData()
    const addFields = () => {
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
    }
    if (!options.filesFirst) addFields()
    for (const { field, name, bytes, type } of files) {
      form.append(field, new Blob([new Uint8Array(bytes)], type ? { type } : {}), name ?? field)
    }
    if (options.filesFirst) addFields()
    return call(this.base + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.key}`, ...options.headers },
      body: form,
      ...(options.signal && { signal: options.signal }),
    })
  }

  /** Adds one message of this user with text and files to a chat. */
  addMessage(
    session: string,
    text: string,
    files: readonly (FilePart & { kind: string })[] = [],
    timestamp?: number,
  ): Promise<Answer> {
    const content = [
      { type: 'text', text },
      ...files.map(({ field, kind, name }) => ({ type: kind, upload_id: field, ...(name !== undefined && { name }) })),
    ]
    const messages = [{ sender_id: this.id, role: 'user', timestamp: timestamp ?? Date.now(), content }]
    return this.upload('/memories/add/multipart', { session_id: session, messages: JSON.stringify(messages) }, files)
  }

  addResource(file: Omit<FilePart, 'field'>, fields: Record<string, string> = {}): Promise<Answer> {
    return this.upload('/resources', fields, [{ field: 'file', ...file }])
  }
}

/** `headers`: the admin key, where one is needed. */
export async function createUser(
  base: string,
  id = `user_${randomBytes(6).toString('hex')}`,
  headers: Record<string, string> = {},
): Promise<TestUser> {
  const answer = await call(`${base}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ user_id: id }),
  })
  if (answer.status !== 201) throw new Error(`POST /users answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  return new TestUser(base, id, answer.body.user_key)
}

/** Asks again, each `everyMs`, until the answer satisfies, for at most `ms`. */
export async function until<T>(
  ask: () => Promise<T>,
  isEnough: (value: T) => boolean,
  ms = 15_000,
  everyMs = 50,
): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const value = await ask()
    if (isEnough(value)) return value
    if (Date.now() > deadline) throw new Error(`Not so within ${ms} ms; last: ${JSON.stringify(value)?.slice(0, 500)}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
