import type { Context } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { authenticate, bearerToken, type CredentialFields, type HttpContext } from './context.ts'
import { type MultipartForm, readMultipart } from './multipart.ts'

/**
 * Takes in a multipart request and hands its parts to `work`, which stores them, with the caller that its key names. The key is checked as
 * soon as it is known, from the headers or query before the body is read, so that no stranger's files are taken in for long.
 * Temp files live until `work` has ended.
 */
export async function withUpload<T>(
  c: HttpContext,
  work: (ctx: Context, form: MultipartForm) => Promise<T>,
): Promise<{ ctx: Context; stored: T }> {
  const { uploads, spool, limits } = c.get('services')
  using _place = uploads.enter()
  await using files = spool.open()
  using places = new DisposableStack()

  const query: CredentialFields = { user_id: c.req.query('user_id'), user_key: c.req.query('user_key') }
  let ctx: Promise<Context> | undefined
  const admit = (fields: CredentialFields): Promise<Context> => {
    ctx ??= authenticate(c, fields).then((admitted) => {
      places.use(uploads.enterAs(admitted.caller.userId))
      return admitted
    })
    return ctx
  }

  if (bearerToken(c) ?? query.user_key) await admit(query)
  const form = await readMultipart(c.env.incoming, {
    limits,
    spool: files,
    onField: async (fields) => {
      if (!ctx && fields.has('user_key') && fields.has('user_id')) await admit(formCredentials(fields, query))
    },
  })
  const fields = formCredentials(form.fields, query)
  const admitted = await admit(fields)
  if (fields.user_id !== undefined && fields.user_id !== admitted.caller.externalUserId) {
    throw new GatewayError('unauthenticated', 'The key is not a key of this user_id.')
  }
  return { ctx: admitted, stored: await work(admitted, form) }
}

function formCredentials(fields: ReadonlyMap<string, string>, query: CredentialFields): CredentialFields {
  return { user_id: fields.get('user_id') ?? query.user_id, user_key: fields.get('user_key') ?? query.user_key }
}

/** The text fields beside the credentials, as a verb's input. `invalid_request` for one that the route does not know. */
export function inputFields(form: MultipartForm, known: readonly string[]): Record<string, string> {
  const unknown = [...form.fields.keys()].filter(
    (name) => !known.includes(name) && name !== 'user_id' && name !== 'user_key',
  )
  if (unknown.length > 0) {
    throw new GatewayError(
      'invalid_request',
      `Unknown field: ${unknown.join(', ')}. A file needs a filename in its part.`,
      {
        details: { unknown_fields: unknown },
      },
    )
  }
  return Object.fromEntries(
    known.flatMap((name) => (form.fields.has(name) ? [[name, form.fields.get(name) ?? '']] : [])),
  )
}
