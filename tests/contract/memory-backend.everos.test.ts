import { describe, it } from 'vitest'
import { createEverosBackend } from '../../src/adapters/memory-backend/everos/index.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { describeMemoryBackend } from './memory-backend.ts'

describeMemoryBackend('everos, on the fake', async () => {
  const fake = await startFakeEveros()
  const backend = createEverosBackend({ baseUrl: fake.url })
  return {
    backend,
    close: async () => {
      await backend.close()
      await fake.close()
    },
  }
})

describeMemoryBackend('everos, on an old fake without delete and with a lagging index', async () => {
  const fake = await startFakeEveros({ versions: ['v1'], embed: true })
  fake.memory.indexDelayMs = 20
  const backend = createEverosBackend({ baseUrl: fake.url })
  return {
    backend,
    close: async () => {
      await backend.close()
      await fake.close()
    },
  }
})

/** Started by `tests/services/everos.sh start`. */
const baseUrl = process.env.TEST_EVEROS_URL

if (baseUrl) {
  describeMemoryBackend('everos, real', async () => {
    const backend = createEverosBackend({ baseUrl })
    return { backend, close: () => backend.close() }
  })
} else {
  describe('memory backend: everos, real', () => {
    it.skipIf(process.env.REQUIRE_SERVICES !== '1')('needs a server: set TEST_EVEROS_URL', () => {
      throw new Error('TEST_EVEROS_URL is not set')
    })
  })
}
