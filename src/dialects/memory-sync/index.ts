import { GatewayError } from '../../domain/errors.ts'
import { orgRoutes } from './org/index.ts'
import { createRouter, type Router } from './route.ts'
import { addAddRoutes } from './routes/add.ts'
import { addAnswerRoutes } from './routes/answers.ts'
import { addDecisionRoutes } from './routes/decisions.ts'
import { addElsewhereRoutes } from './routes/elsewhere.ts'
import { addFileRoutes } from './routes/files.ts'
import { addKnowledgeRoutes } from './routes/knowledge.ts'
import { addLifeRoutes } from './routes/life.ts'
import { addOntologyRoutes } from './routes/ontology.ts'
import { addQueryRoutes } from './routes/query.ts'
import { addRecordRoutes } from './routes/records.ts'
import { addUploadRoutes } from './routes/upload.ts'
import { v1Routes } from './v1/index.ts'

/** What is under these and is none of the routes is unknown here. Under `/v1/memory` other APIs have routes. */
const OWN = ['/memory/*', '/v1/history/*', '/v1/state/*', '/org/*']

/** The API of MemorySync: `/memory/*`, and what else its clients call. */
export function memorySyncRoutes(): Router {
  const router = createRouter()
  addAddRoutes(router)
  addUploadRoutes(router)
  addQueryRoutes(router)
  addRecordRoutes(router)
  addFileRoutes(router)
  addLifeRoutes(router)
  addKnowledgeRoutes(router)
  addOntologyRoutes(router)
  addAnswerRoutes(router)
  addDecisionRoutes(router)
  addElsewhereRoutes(router)
  router.route('/', v1Routes())
  router.route('/', orgRoutes())
  for (const path of OWN) {
    router.all(path, () => {
      throw new GatewayError('not_found', 'There is no such route.')
    })
  }
  return router
}
