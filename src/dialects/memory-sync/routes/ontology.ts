import { GatewayError } from '../../../domain/errors.ts'
import { memoryTypes } from '../../../domain/memories/schemas.ts'
import {
  getVocabulary,
  MOST_CUSTOM_TYPES,
  relationTypes,
  updateVocabulary,
  type Vocabulary,
} from '../../../domain/memories/vocabulary.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { parsePart } from '../errors.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { OntologyBody } from '../schemas.ts'

const NOTHING_ADDED: Vocabulary = { contentTypes: [], relationTypes: [] }

/** The types of memories and relations. They are the project's: no end user is asked for. */
export function addOntologyRoutes(router: Router): void {
  addRoute(router, 'GET', '/memory/ontology', { scope: 'read' }, async (c, sender) =>
    // What an application of the account named is none of a user's who has a key of their own.
    c.json(toOntology(sender.user ? NOTHING_ADDED : await getVocabulary(sender.ctx))),
  )

  addRoute(router, 'PUT', '/memory/ontology', { scope: 'write', body: 'json' }, (c, sender) =>
    answerOnce(c, async (claim) => {
      if (sender.user)
        throw new GatewayError('forbidden', "The types are the project's: use an API key of the account.")
      const { content_types: contentTypes, relation_types: relations } = parsePart(
        OntologyBody,
        'body',
        await readBody(c),
      )
      await claim.begin(sender.ctx, { contentTypes, relations })
      const render = (vocabulary: Vocabulary) => answer(200, toOntology(vocabulary))
      return render(await updateVocabulary(sender.ctx, { contentTypes, relationTypes: relations }, claim.keep(render)))
    }),
  )
}

function toOntology({ contentTypes, relationTypes: relations }: Vocabulary) {
  return {
    content_types: [...memoryTypes, ...contentTypes],
    relation_types: [...relationTypes, ...relations],
    builtin_content_types: memoryTypes,
    builtin_relation_types: relationTypes,
    custom_content_types: contentTypes,
    custom_relation_types: relations,
    max_custom_types: MOST_CUSTOM_TYPES,
  }
}
