import { afterAll, beforeAll, describe, it } from 'vitest'
import { assertAvailable, type Deployment } from '../../helpers/deployments.ts'
import { type DialectSite, startDialectSite } from '../../helpers/dialect-site.ts'
import { vendorPythonOn } from '../../helpers/vendor-clients.ts'
import { searchThroughTheBackend } from './backend.ts'
import { memoryLayer } from './memory-layer.ts'
import { memoryStack } from './memory-stack.ts'
import { memorySync } from './memory-sync.ts'

/** What the tests of one deployment share: they make accounts of their own. */
export interface Suite {
  readonly deployment: Deployment
  /** Once the tests run. */
  readonly site: () => DialectSite
  /** A Python with the vendors' clients; undefined where there is none. */
  readonly python: string | undefined
}

/** The vendors' own clients, and the examples of their documents, on one gateway process that stands on this deployment. */
export async function describeDialects(deployment: Deployment): Promise<void> {
  const python = await vendorPythonOn(deployment)
  // Much of it is waiting.
  describe(`on ${deployment.name}`, { concurrent: true }, () => {
    if (deployment.missing) {
      it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
      it.skip(`not run: ${deployment.missing}`, () => {})
      return
    }
    let site: DialectSite
    beforeAll(async () => {
      site = await startDialectSite(deployment)
    })
    afterAll(() => site?.close())
    const suite: Suite = { deployment, site: () => site, python }

    if (!python) it.skip("the vendors' Python clients: not run here, or no Python of 3.11 or later with them", () => {})
    describe('Memory Layer', () => memoryLayer(suite))
    describe('MemoryStack', () => memoryStack(suite))
    describe('MemorySync', () => memorySync(suite))
    describe('the memory backend', () => searchThroughTheBackend(suite))
  })
}
