import { defineConfig } from 'vitest/config'

const setupFiles = ['tests/helpers/seed-properties.ts']
const slow = {
  setupFiles,
  testTimeout: 30_000,
  hookTimeout: 60_000,
  globalSetup: ['tests/helpers/database-template.ts'],
}

export default defineConfig({
  test: {
    execArgv: ['--import', './src/quick-imports.ts'],
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts'], setupFiles, testTimeout: slow.testTimeout } },
      { test: { name: 'integration', include: ['tests/integration/**/*.test.ts'], isolate: false, ...slow } },
      { test: { name: 'contract', include: ['tests/contract/**/*.test.ts'], ...slow } },
      {
        test: {
          name: 'faults',
          include: ['tests/faults/**/*.test.ts'],
          ...slow,
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
      { test: { name: 'acceptance', include: ['tests/acceptance/**/*.test.ts'], ...slow, testTimeout: 120_000 } },
    ],
  },
})
