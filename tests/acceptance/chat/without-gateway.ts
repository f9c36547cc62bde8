import { afterAll, beforeAll, describe } from 'vitest'
import { type ScriptedModel, startScriptedModel } from '../../helpers/scripted-model.ts'
import { aiSdkClient } from './ai-sdk-client.ts'
import { anthropicClient } from './anthropic-client.ts'
import { openAiClient } from './openai-client.ts'
import { withoutGateway } from './suite.ts'

/** The clients and the scripted model with no gateway between them: it is a fair stand-in for a provider. */
export function describeWithoutGateway(): void {
  describe('without a gateway', () => {
    let model: ScriptedModel
    beforeAll(async () => {
      model = await startScriptedModel()
    })
    afterAll(() => model?.close())
    const suite = withoutGateway(() => model)

    describe('OpenAI', () => openAiClient(suite))
    describe('Anthropic', () => anthropicClient(suite))
    describe('AI SDK', () => aiSdkClient(suite))
  })
}
