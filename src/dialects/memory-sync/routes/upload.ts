import { z } from 'zod'
import type { UserContext } from '../../../domain/context.ts'
import { GatewayError } from '../../../domain/errors.ts'
import { memoryFiles } from '../../../domain/memories/memory-files.ts'
import { userScope } from '../../../domain/memories/memory-scope.ts'
import { storeFileMemory } from '../../../domain/memories/store-file-memory.ts'
import type { StoredMemory } from '../../../domain/memories/store-memories.ts'
import { cleanText, opaqueObject } from '../../../domain/text-schemas.ts'
import { endUserId } from '../../../domain/users/end-users.ts'
import { checkJsonValues } from '../../../http/json-values.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { countUse } from '../../../http/quota.ts'
import { identityOf, type UploadedForm, withKnownUpload } from '../../../http/uploads.ts'
import { actAsEndUser, headerEndUser } from '../auth.ts'
import { invalidFields, parsePart } from '../errors.ts'
import { toMemory, toSkip } from '../mapping.ts'
import { addRoute, type Router } from '../route.ts'
import { optional } from '../schemas.ts'
import { answerAdded, OVER_QUOTA, SAME_FROM, subjectOfAdded } from './add.ts'

const FIELDS = ['source', 'metadata', 'end_user_id']
const UploadForm = z.object({
  source: optional(cleanText(256)),
  metadata: optional(opaqueObject),
  end_user_id: optional(endUserId),
})

export function addUploadRoutes(router: Router): void {
  addRoute(
    router,
    'POST',
    '/memory/upload',
    { scope: 'write', uses: { adds: 0 }, overQuota: OVER_QUOTA },
    (c, sender) =>
      answerOnce(c, (claim) => {
        const uploader = { id: `${sender.ctx.service.keyId} ${headerEndUser(c) ?? ''}` }
        return withKnownUpload(c, uploader, FIELDS, async ({ input, files }) => {
          const upload = onlyFile(files)
          const { end_user_id, ...fields } = parsePart(UploadForm, 'body', withMetadata(input))
          const ctx = await actAsEndUser(c, sender, end_user_id)
          await claim.begin(ctx, { ...fields, file: identityOf(upload) })
          await countUse(c, ctx, { adds: 1 })
          const kept = await storeFileMemory(
            ctx,
            { ...fields, upload },
            { duplicatesFrom: SAME_FROM },
            claim.keep(answerAdded, subjectOfAdded),
          )
          if (kept.outcome === 'skipped') return answer(200, toSkip({ reason: kept.reason }))
          return answerWithFiles(ctx, kept.stored)
        })
      }),
  )
}

async function answerWithFiles(ctx: UserContext, stored: StoredMemory) {
  if (stored.outcome !== 'stored') return answerAdded([stored])
  const { memory } = stored
  const files = await memoryFiles(ctx, userScope(ctx, ctx.caller.userId), [memory])
  return answer(201, toMemory(memory, files.get(memory.id)))
}

function onlyFile(files: UploadedForm['files']) {
  const [file, ...more] = files.filter(({ uploadId }) => uploadId === 'file')
  if (!file) throw invalidFields([{ type: 'missing', loc: ['body', 'file'], msg: 'Field required: file' }])
  if (more.length > 0) throw new GatewayError('invalid_request', 'Send exactly one file, in the field "file".')
  return file
}

/** `metadata` comes as JSON in a text field. */
function withMetadata(input: UploadedForm['input']): Record<string, unknown> {
  const { metadata, ...rest } = input
  if (metadata === undefined || metadata === '') return rest
  checkJsonValues(metadata)
  try {
    return { ...rest, metadata: JSON.parse(metadata) }
  } catch {
    throw invalidFields([{ type: 'json_invalid', loc: ['body', 'metadata'], msg: 'metadata: not valid JSON' }])
  }
}
