import { defineConfig } from 'vitest/config'

const quick = {
  setupFiles: ['tests/helpers/seed-properties.ts'],
  testTimeout: 30_000,
  // Tests keep apart themselves what outlives them: a process of its own for each file takes as long again as the tests.
  isolate: false,
  execArgv: ['--import', './src/quick-imports.ts'],
}
const slow = { ...quick, hookTimeout: 60_000, globalSetup: ['tests/helpers/database-template.ts'] }

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], ...quick } },
      { test: { name: 'integration', include: ['tests/integration/**/*.test.ts'], ...slow } },
      { test: { name: 'contract', include: ['tests/contract/**/*.test.ts'], ...slow } },
      {
        test: {
          name: 'faults',
          include: ['tests/faults/**/*.test.ts'],
          ...slow,
          testTimeout: 600_000,
          fileParallelism: false,
          // Of the tests that may: most of a step's is waiting for the lease of a process that died.
          maxConcurrency: 10,
        },
      },
      { test: { name: 'acceptance', include: ['tests/acceptance/**/*.test.ts'], ...slow, testTimeout: 120_000 } },
    ],
  },
})
