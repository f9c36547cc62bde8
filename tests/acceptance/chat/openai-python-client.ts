import { expect, it } from 'vitest'
import { runClient } from '../../helpers/vendor-clients.ts'
import type { ClientSuite } from './suite.ts'

/** OpenAI's own Python client, sync and async; `python` has it. */
export function openAiPythonClient({ mode, modelOf, newCaller }: ClientSuite, python: string | undefined): void {
  it.skipIf(!python)('chats, streams, calls tools, parses, shows pictures, and raises errors', async () => {
    const { baseUrl, key } = newCaller()
    const output = await runClient(python ?? '', 'openai_client.py', {
      BASE_URL: baseUrl,
      API_KEY: key,
      MODE: mode,
      MODEL: modelOf('openai'),
      PICTURE: 'tests/simple-multimodal-image.png',
    })
    expect(output).toContain('all well')
  })
}
