import { KEY_DEADLINE_MS, type UploadGate } from '../domain/attachments/upload-gate.ts'
import type { Context } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { step } from '../observability/steps.ts'
import {
  authenticate,
  authenticateEarly,
  type CredentialFields,
  type HttpContext,
  hasEarlyKey,
  identify,
} from './context.ts'
import type { MultipartForm } from './form-reader.ts'
import { readMultipart } from './multipart.ts'

export interface UploadedForm {
  /** The text fields beside the credentials. */
  readonly input: Readonly<Record<string, string>>
  readonly files: MultipartForm['files']
}

/**
 * Takes in a multipart request and hands its parts to `work`, which stores them, with the caller that its key names. A key in the headers
 * or query is checked before the body is read; one within the form as soon as it is there, and until then the request
 * has one of the few places for strangers. `fieldNames` are the text fields of the route; any other is refused.
 * Temp files live until `work` has ended.
 */
export async function withUpload<T>(
  c: HttpContext,
  fieldNames: readonly string[],
  work: (ctx: Context, form: UploadedForm) => Promise<T>,
): Promise<{ ctx: Context; stored: T }> {
  const { uploads, spool, limits } = c.get('services')
  // Before the key is looked up: in a crowd a refusal has to cost less than what it refuses.
  if (hasEarlyKey(c)) uploads.checkRoom()
  const known = await authenticateEarly(c)
  using admission = new Admission(uploads)
  if (known) admission.admit(known.caller.userId)
  else admission.awaitKey()
  await using files = spool.open()

  let checked: Promise<void> | undefined
  const form = await readMultipart(c.env.incoming, {
    limits,
    spool: files,
    fieldNames: [...fieldNames, 'user_id', 'user_key'],
    signal: admission.signal,
    onField: async (fields) => {
      if (known || checked || !fields.has('user_key')) return
      checked = identify(c, credentials(fields)).then((ctx) => admission.admit(ctx.caller.userId))
      await checked
    },
  })
  step('spooled')
  const ctx = await authenticate(c, credentials(form.fields))
  const input = Object.fromEntries([...form.fields].filter(([name]) => fieldNames.includes(name)))
  return { ctx, stored: await work(ctx, { input, files: form.files }) }
}

/** Who uploads, where the request's headers have told before its body is read. */
export interface KnownUploader {
  /** Who the places for uploads are counted for. */
  readonly id: string
}

/** As `withUpload`, for a sender who is known. Text fields that the route does not know are left out. */
export async function withKnownUpload<T>(
  c: HttpContext,
  uploader: KnownUploader,
  fieldNames: readonly string[],
  work: (form: UploadedForm) => Promise<T>,
): Promise<T> {
  const { uploads, spool, limits } = c.get('services')
  using admission = new Admission(uploads)
  admission.admit(uploader.id)
  await using files = spool.open()
  const form = await readMultipart(c.env.incoming, {
    limits,
    spool: files,
    fieldNames: undefined,
    signal: admission.signal,
    onField: async () => {},
  })
  step('spooled')
  const input = Object.fromEntries([...form.fields].filter(([name]) => fieldNames.includes(name)))
  // Awaited here: the temp files go when this returns.
  return await work({ input, files: form.files })
}

/** What makes two files the same for an `Idempotency-Key`. */
export function identityOf({ uploadId, fileName, file }: UploadedForm['files'][number]) {
  return { uploadId, fileName: fileName ?? null, sha256: file.sha256 }
}

function credentials(fields: ReadonlyMap<string, string>): CredentialFields {
  return { user_id: fields.get('user_id'), user_key: fields.get('user_key') }
}

/** The places that one request has: first, if need be, a stranger's with a time limit, then those of its user. */
class Admission implements Disposable {
  readonly #uploads: UploadGate
  readonly #expired = new AbortController()
  #places = new DisposableStack()
  #isOver = false

  constructor(uploads: UploadGate) {
    this.#uploads = uploads
  }

  /** Aborts when the key did not come in time. */
  get signal(): AbortSignal {
    return this.#expired.signal
  }

  awaitKey(): void {
    this.#places.use(this.#uploads.enterUnidentified())
    const timer = setTimeout(() => this.#expired.abort(lateKey()), KEY_DEADLINE_MS)
    this.#places.defer(() => clearTimeout(timer))
  }

  admit(userId: string): void {
    this.#places.dispose()
    if (this.#isOver) return
    this.#places = new DisposableStack()
    this.#places.use(this.#uploads.enter())
    this.#places.use(this.#uploads.enterAs(userId))
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#places.dispose()
  }
}

function lateKey(): GatewayError {
  return new GatewayError(
    'unauthenticated',
    'No key came in time: send user_id and user_key before the files, or the key in the Authorization header.',
  )
}
