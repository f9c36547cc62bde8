import type { Limits } from '../../../src/config/config.ts'
import type { KeyScope } from '../../../src/domain/accounts/authenticate-key.ts'
import type { ServiceContext } from '../../../src/domain/context.ts'
import { GatewayError } from '../../../src/domain/errors.ts'
import { searchMemories } from '../../../src/domain/memories/search-memories.ts'
import { type StoredMemory, storeMemories } from '../../../src/domain/memories/store-memories.ts'
import { parseInput } from '../../../src/domain/parse-input.ts'
import type { HttpContext } from '../../../src/http/context.ts'
import { createDialectRouter, type DialectRouter, slashed } from '../../../src/http/dialect.ts'
import { MalformedRequestError } from '../../../src/http/errors.ts'
import { jsonBody } from '../../../src/http/middleware/json-body.ts'
import { answer, answerOnce } from '../../../src/http/once.ts'
import { countUse } from '../../../src/http/quota.ts'
import { forEndUser, forMemoriesOf, openService } from '../../../src/http/service.ts'
import { renderError } from './errors.ts'
import { toFoundNote, toNote } from './mapping.ts'
import { FindQuery, NoteBody } from './schemas.ts'

/** The API of Memory Notes. */
export function memoryNotes(limits: Limits): DialectRouter {
  const router = createDialectRouter(renderError).basePath('/notes')
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('POST', slashed('/add'), readJson, add)
  router.on('GET', slashed('/find'), find)
  router.all('/*', () => {
    throw new GatewayError('not_found', 'Memory Notes has no such route.')
  })
  return router
}

/** Whose request it is: the key says which account, the header which project. */
function open(c: HttpContext, scope: KeyScope): Promise<ServiceContext> {
  return openService(c, c.req.header('x-notes-key'), { projectId: c.req.header('x-notes-book'), scope })
}

function add(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { person, note } = parseInput(NoteBody, parseJson(await c.req.text()))
    const ctx = await forEndUser(c, await open(c, 'write'), person)
    await claim.begin(ctx, { note })
    await countUse(c, ctx, { requests: 1, adds: 1 })
    const render = (stored: readonly StoredMemory[]) =>
      answer(201, { notes: stored.map(({ memory }) => toNote(memory)) })
    return render(await storeMemories(ctx, [{ memory: { content: note } }], {}, claim.keep(render)))
  })
}

async function find(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const { person, words, most } = parseInput(FindQuery, c.req.query())
  await countUse(c, service, { requests: 1, searches: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, { endUser: person })
  const { found } = await searchMemories(ctx, scope, { query: words, limit: most })
  return c.json({ notes: found.map(toFoundNote) })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedRequestError('The body is not valid JSON.')
  }
}
