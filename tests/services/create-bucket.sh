#!/usr/bin/env bash
# create-bucket.sh ENDPOINT ACCESS_KEY_ID SECRET_ACCESS_KEY BUCKET
set -euo pipefail
cd "$(dirname "$0")/../.."
timeout 60 node_modules/.bin/node --input-type=module - "$@" <<'SCRIPT'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

const [endpoint, accessKeyId, secretAccessKey, Bucket] = process.argv.slice(2)
const credentials = { accessKeyId, secretAccessKey }
const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
await client.send(new CreateBucketCommand({ Bucket }))
SCRIPT
