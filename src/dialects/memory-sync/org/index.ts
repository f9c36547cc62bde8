import { createRouter, type Router } from '../route.ts'
import { addAccountRoutes } from './account.ts'
import { addDeliveryRoutes } from './deliveries.ts'
import { addKeyRoutes } from './keys.ts'
import { addNotOffered } from './not-offered.ts'
import { addProjectRoutes } from './projects.ts'
import { addWebhookRoutes } from './webhooks.ts'

/** What manages an account: webhooks, keys, projects, its plan. Its keys need the scope `admin`. */
export function orgRoutes(): Router {
  const router = createRouter()
  addWebhookRoutes(router)
  addDeliveryRoutes(router)
  addKeyRoutes(router)
  addProjectRoutes(router)
  addAccountRoutes(router)
  addNotOffered(router)
  return router
}
