import {
  startTestModel,
  TEST_MODEL,
  type TestModel,
  type TestModelRequest,
} from '../../scripts/test-model/test-model.ts'

export interface ScriptedModel extends TestModel {
  /** For a gateway: this server as each of the providers, and as one named `own`. */
  readonly settings: Record<string, string>
  /** What has come since the last look. */
  sent(): TestModelRequest[]
  close(): Promise<void>
}

/** As a gateway sends them. */
export const PROVIDER_KEYS = {
  openai: 'sk-test-openai-0123456789',
  anthropic: 'sk-ant-test-0123456789',
  gemini: 'test-gemini-0123456789',
  own: 'test-own-0123456789',
} as const

/** Names by which a gateway with its settings reaches it; the first on the path of each API. */
export const MODELS = {
  openai: `openai/${TEST_MODEL}`,
  anthropic: `anthropic/${TEST_MODEL}`,
  own: `own/${TEST_MODEL}`,
} as const

/** The test model of the demo, in the place of every model provider. */
export async function startScriptedModel(): Promise<ScriptedModel> {
  const model = await startTestModel()
  const { origin } = new URL(model.baseUrl)
  let looked = 0
  return {
    ...model,
    settings: {
      OPENAI_BASE_URL: model.baseUrl,
      OPENAI_API_KEY: PROVIDER_KEYS.openai,
      ANTHROPIC_BASE_URL: model.baseUrl,
      ANTHROPIC_API_KEY: PROVIDER_KEYS.anthropic,
      GEMINI_BASE_URL: `${origin}/v1beta/openai`,
      GEMINI_API_KEY: PROVIDER_KEYS.gemini,
      MODEL_PROVIDERS: JSON.stringify({ own: { base_url: `${origin}/own/v1`, api_key: PROVIDER_KEYS.own } }),
    },
    sent() {
      const since = model.requests.slice(looked)
      looked = model.requests.length
      return since
    },
    async close() {
      await model[Symbol.asyncDispose]()
    },
  }
}
