import { placeTemplate, postgresTemplate } from './database-template.ts'
import { createPostgresDatabase, testDatabaseUrl } from './test-database.ts'

export interface Deployment {
  readonly name: string
  /** Why it cannot be tested here; undefined if it can. */
  readonly missing: string | undefined
  /** Settings of one fresh deployment, given a folder of its own; with its tables, or for the first gateway to make them. */
  prepare(
    storageDir: string,
    isEmpty?: boolean,
  ): Promise<{ settings: Record<string, string>; drop: () => Promise<void> }>
}

const env = process.env

/** The settings under which a gateway uses the S3 server that the variables of this prefix name. */
function s3SettingsOf(prefix: 'TEST_S3' | 'TEST_SWIFT_S3'): Record<string, string> | undefined {
  const endpoint = env[`${prefix}_ENDPOINT`]
  if (!endpoint) return undefined
  return {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: env[`${prefix}_BUCKET`] ?? 'gateway-test',
    S3_ACCESS_KEY_ID: env[`${prefix}_ACCESS_KEY_ID`] ?? '',
    S3_SECRET_ACCESS_KEY: env[`${prefix}_SECRET_ACCESS_KEY`] ?? '',
    S3_FORCE_PATH_STYLE: 'true',
  }
}

export const s3Settings = s3SettingsOf('TEST_S3')
/** Another dialect of S3. */
export const swiftSettings = s3SettingsOf('TEST_SWIFT_S3')

async function withPostgres(storageDir: string, more: Record<string, string>, isEmpty = false) {
  const { url, drop } = await createPostgresDatabase(testDatabaseUrl ?? '', isEmpty ? undefined : postgresTemplate())
  // Few connections: many gateways share the server's hundred.
  return { settings: { STORAGE_DIR: storageDir, DATABASE_URL: url, DATABASE_POOL_SIZE: '5', ...more }, drop }
}

export const embeddedDeployment: Deployment = {
  name: 'embedded defaults',
  missing: undefined,
  prepare: async (storageDir, isEmpty = false) => {
    if (!isEmpty) placeTemplate(storageDir)
    return { settings: { STORAGE_DIR: storageDir }, drop: async () => {} }
  },
}

/** Nothing of the embedded defaults. */
export const servicesDeployment: Deployment = {
  name: 'PostgreSQL, S3 and EverOS',
  missing:
    testDatabaseUrl && s3Settings && env.TEST_EVEROS_URL
      ? undefined
      : 'TEST_DATABASE_URL, TEST_S3_ENDPOINT or TEST_EVEROS_URL is not set',
  prepare: (storageDir, isEmpty) =>
    withPostgres(
      storageDir,
      { ...s3Settings, MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: env.TEST_EVEROS_URL ?? '' },
      isEmpty,
    ),
}

/** What a gateway can stand on, from the embedded defaults to services alone. */
export const deployments: Deployment[] = [
  embeddedDeployment,
  {
    name: 'PostgreSQL',
    missing: testDatabaseUrl ? undefined : 'TEST_DATABASE_URL is not set',
    prepare: (storageDir, isEmpty) => withPostgres(storageDir, {}, isEmpty),
  },
  {
    name: 'PostgreSQL and S3',
    missing: testDatabaseUrl && s3Settings ? undefined : 'TEST_DATABASE_URL or TEST_S3_ENDPOINT is not set',
    prepare: (storageDir, isEmpty) => withPostgres(storageDir, s3Settings ?? {}, isEmpty),
  },
  servicesDeployment,
]

/** Tried where the store is all that differs. */
export const swiftDeployment: Deployment = {
  name: 'PostgreSQL and Swift',
  missing: testDatabaseUrl && swiftSettings ? undefined : 'TEST_DATABASE_URL or TEST_SWIFT_S3_ENDPOINT is not set',
  prepare: (storageDir, isEmpty) => withPostgres(storageDir, swiftSettings ?? {}, isEmpty),
}

/** Where every service has to be there, a missing one is a failure, not a skip. */
export function assertAvailable(deployment: Deployment): void {
  if (deployment.missing && env.REQUIRE_SERVICES === '1') throw new Error(deployment.missing)
}
