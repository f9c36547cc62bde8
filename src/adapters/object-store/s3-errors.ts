import { ObjectNotFoundError, ObjectStoreError } from '../../ports/object-store.ts'

/** What the messages of a store's errors speak of. */
export interface S3Place {
  readonly bucket: string
  readonly endpoint?: string | undefined
  readonly region: string
}

/** The store did not answer, nor take any bytes, in two attempts. The SDK makes no third for an error of this name. */
export class StalledError extends Error {
  override name = 'StalledError'
  override message = 'it does not answer'
}

/** True for what the SDK calls a call whose connection did not come about or stood still for too long. */
export function isTimeout(error: unknown): boolean {
  return nameOf(error) === 'TimeoutError'
}

const networkCodes = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
])

/** True for the ways in which S3 says that there is no such key. A HEAD has no body to say which thing is missing. */
export function isMissingKey(error: unknown): boolean {
  return nameOf(error) === 'NoSuchKey' || nameOf(error) === 'NotFound'
}

export function asStoreError(error: unknown, what: string, place: S3Place): Error {
  if (error instanceof ObjectNotFoundError || error instanceof ObjectStoreError) return error
  return new ObjectStoreError(`${what}: ${describe(error, place)}`, { cause: error })
}

/** Says which setting to look at. Never shows an address with a signature: the SDK's own messages hold none. */
function describe(error: unknown, place: S3Place): string {
  const where = place.endpoint ?? `AWS S3 in ${place.region}`
  switch (nameOf(error)) {
    case 'NoSuchBucket':
    case 'NotFound':
      return `S3_BUCKET: there is no bucket ${place.bucket} at ${where}`
    case 'InvalidBucketName':
      return `S3_BUCKET: ${place.bucket} is no valid name of a bucket`
    case 'InvalidAccessKeyId':
      return `S3_ACCESS_KEY_ID: ${where} does not know this key`
    case 'SignatureDoesNotMatch':
      return `S3_SECRET_ACCESS_KEY: ${where} says that it does not belong to S3_ACCESS_KEY_ID: one of them is wrong`
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'CredentialsProviderError':
      return 'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: there are no valid credentials'
    case 'RequestTimeTooSkewed':
      return `the clock of this machine and that of ${where} differ too much: set the clock`
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return `S3_REGION: ${place.region} is not the region of the bucket ${place.bucket}`
    case 'XAmzContentSHA256Mismatch':
    case 'BadDigest':
      return 'the bytes that arrived are not the bytes that were taken in'
    default:
      return describeByStatus(error, place, where)
  }
}

function describeByStatus(error: unknown, place: S3Place, where: string): string {
  const status = statusOf(error)
  if (status === 301 || status === 307)
    return `S3_REGION: ${place.region} is not the region of the bucket ${place.bucket}`
  if (status === 401 || status === 403) {
    return `S3_ACCESS_KEY_ID: this key may not do that in the bucket ${place.bucket} (it needs to list the bucket, and to get, put and delete objects)`
  }
  if (status !== undefined && status >= 500)
    return `S3_ENDPOINT: ${where} answered ${status} (${nameOf(error)}), try again later`
  if (status === undefined && isNetworkFault(error))
    return `S3_ENDPOINT: ${where} cannot be reached (${messageOf(error)})`
  return messageOf(error)
}

function isNetworkFault(error: unknown): boolean {
  if (isTimeout(error) || error instanceof StalledError) return true
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return networkCodes.has(code) || /CERT|TLS|SSL|EPROTO/.test(code)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return error.message || code || error.name
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
