import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { loadConfig, type ObjectStoreConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import { inTransaction } from '../../src/db/database.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { createServices, type Services } from '../../src/services.ts'
import type { Deployment } from '../helpers/deployments.ts'
import { serve } from '../helpers/gateway.ts'

/** A deployment with storage that is nobody else's, so that all of it can be compared with what should be there. */
export interface Site {
  readonly settings: Readonly<Record<string, string>>
  drop(): Promise<void>
}

export async function newSite(deployment: Deployment): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-faults-'))
  const { settings, drop } = await deployment.prepare(dir)
  const own = settings.S3_BUCKET ? { ...settings, S3_BUCKET: `faults-${randomBytes(6).toString('hex')}` } : settings
  if (own.S3_BUCKET) await withS3(own, (client) => client.send(new CreateBucketCommand({ Bucket: own.S3_BUCKET })))
  return {
    settings: own,
    drop: async () => {
      await drop()
      if (own.S3_BUCKET) await dropBucket(own)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function withS3<T>(settings: Site['settings'], work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: settings.S3_ENDPOINT ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: settings.S3_ACCESS_KEY_ID ?? '',
      secretAccessKey: settings.S3_SECRET_ACCESS_KEY ?? '',
    },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

async function dropBucket(settings: Site['settings']): Promise<void> {
  const Bucket = settings.S3_BUCKET
  await withS3(settings, async (client) => {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
      const Objects = Contents.map(({ Key }) => ({ Key }))
      if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    }
    await client.send(new DeleteBucketCommand({ Bucket }))
  })
}

/** Every object in the store, and its size. */
export async function listObjects(settings: Site['settings']): Promise<Map<string, number>> {
  const config: ObjectStoreConfig = loadConfig(readEnv(settings)).objectStore
  const objects = new Map<string, number>()
  if (config.kind === 's3') {
    await withS3(settings, async (client) => {
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: config.bucket })) {
        for (const { Key, Size } of Contents) objects.set(Key ?? '', Size ?? -1)
      }
    })
    return objects
  }
  for (const entry of readdirSync(config.dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    // A sweep may be at work.
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats?.isFile()) objects.set(path.slice(config.dir.length + 1), stats.size)
  }
  return objects
}

/** A gateway in this process on the site's storage: one that took over after others died. */
export interface Inspector extends AsyncDisposable {
  readonly url: string
  readonly services: Services
  /** Has the sweeper begin now, here or on another replica, and not only at the next minute. */
  sweep(): Promise<void>
}

/** `isAtWork` false: it does no jobs. */
export async function inspect(settings: Site['settings'], isAtWork = true): Promise<Inspector> {
  const config = loadConfig(readEnv({ ...settings, LOG_LEVEL: process.env.FAULTS_LOG_LEVEL ?? 'silent' }))
  const services = await createServices(config, { log: createLogger(config.log), pollSeconds: 0.5 })
  if (isAtWork) await services.startJobs()
  const { url, close } = await serve(services)
  return {
    url,
    services,
    sweep: () => inTransaction(services.db, (tx) => services.jobs.enqueue(tx, { name: 'sweep-orphans' })),
    async [Symbol.asyncDispose]() {
      await close()
      await services[Symbol.asyncDispose]()
    },
  }
}
