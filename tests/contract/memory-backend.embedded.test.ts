import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import { openTestDatabase } from '../helpers/test-database.ts'
import { describeMemoryBackend } from './memory-backend.ts'

describeMemoryBackend('embedded', async () => {
  const connection = await openTestDatabase()
  const backend = createEmbeddedBackend({ db: connection.db })
  return {
    backend,
    close: async () => {
      await backend.close()
      await connection.close()
    },
  }
})
