import { afterAll, beforeAll, describe, it } from 'vitest'
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts'
import { assertAvailable, type Deployment } from '../../helpers/deployments.ts'
import type { TestApp } from '../../helpers/dialects.ts'
import { vendorPythonOn } from '../../helpers/vendor-clients.ts'
import { aiSdkClient } from './ai-sdk-client.ts'
import { anthropicClient } from './anthropic-client.ts'
import { examples } from './examples.ts'
import { openAiClient } from './openai-client.ts'
import { openAiPythonClient } from './openai-python-client.ts'
import { scenarios } from './scenarios.ts'
import { throughGateway } from './suite.ts'

/** The vendors' own clients, the published examples, and what a chat may and may not remember, on one gateway process of this deployment. */
export async function describeChat(deployment: Deployment): Promise<void> {
  const python = await vendorPythonOn(deployment)
  describe(`on ${deployment.name}`, () => {
    if (deployment.missing) {
      it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
      it.skip(`not run: ${deployment.missing}`, () => {})
      return
    }
    let site: ChatSite
    let app: TestApp
    beforeAll(async () => {
      site = await startChatSite(deployment)
      app = await site.newApp()
    })
    afterAll(() => site?.close())
    const suite = { deployment, site: () => site, app: () => app }

    if (!python) it.skip("OpenAI's Python client: not run here, or no Python of 3.11 or later with it", () => {})
    describe('examples', () => examples(suite))
    describe('memory', () => scenarios(suite))
    describe.each(['proxy', 'thread'] as const)('as a %s', (mode) => {
      const clients = throughGateway(suite, mode)
      describe('OpenAI', () => openAiClient(clients))
      describe('Anthropic', () => anthropicClient(clients))
      describe('AI SDK', () => aiSdkClient(clients))
      describe('OpenAI for Python', () => openAiPythonClient(clients, python))
    })
  })
}
