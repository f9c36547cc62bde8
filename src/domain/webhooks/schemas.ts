import { z } from 'zod'
import { signatureAlgorithms } from '../../db/schema/webhooks.ts'
import { cleanText, nameId } from '../text-schemas.ts'

/** What happens, by what it happens to. */
export const eventCategories = {
  memory: ['memory.created', 'memory.updated', 'memory.deleted', 'memory.queried'],
  api_key: ['api_key.created', 'api_key.revoked'],
  api: ['api.rate_limited'],
} as const
export const eventTypes = Object.values(eventCategories).flat()
export type EventType = (typeof eventTypes)[number]

/** So many webhooks an account may have: each event is stored once for each that wants it. */
export const MAX_WEBHOOKS = 100

const label = cleanText(128).refine((value) => value.trim() !== '', 'must not be empty')

const eventType = z.enum(eventTypes, `must be one of ${eventTypes.join(', ')}`)
const events = z
  .array(eventType)
  .min(1)
  .max(100)
  .transform((types) => [...new Set(types)])

/** `429`, or `5xx` for all of a hundred. */
const statusCode = z.string().regex(/^[1-5](\d\d|xx)$/, 'must be a status, e.g. 429, or a hundred of them, e.g. 5xx')

const retryFields = {
  enabled: z.boolean(),
  max_retries: z.number().int().min(1).max(10),
  initial_delay_seconds: z.number().int().min(1).max(60),
  max_delay_seconds: z.number().int().min(60).max(86_400),
  backoff_multiplier: z.number().min(1).max(5),
  retry_status_codes: z.array(statusCode).min(1).max(50),
}

/** What the gateway sets by itself, and what would change how the request is read. */
const TAKEN_HEADERS =
  /^(accept.*|authorization|connection|content-.*|cookie|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|x-webhook-(attempt|delivery-id|event|event-id))$/i

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 -')
  .refine((name) => !TAKEN_HEADERS.test(name), 'is a header that the gateway or HTTP itself sets')

const signatureFields = {
  algorithm: z.enum(signatureAlgorithms),
  header_name: headerName,
  timestamp_header: headerName,
  tolerance_seconds: z.number().int().min(60).max(3_600),
}

const RetryConfig = z.object(retryFields).partial()
const SignatureConfig = z.object(signatureFields).partial()

export const defaultRetries = {
  enabled: true,
  max_retries: 5,
  initial_delay_seconds: 5,
  max_delay_seconds: 3_600,
  backoff_multiplier: 2,
  retry_status_codes: ['408', '429', '5xx'],
} as const satisfies Required<z.infer<typeof RetryConfig>> | object

export const defaultSignature = {
  algorithm: 'hmac-sha256',
  header_name: 'X-Webhook-Signature',
  timestamp_header: 'X-Webhook-Timestamp',
  tolerance_seconds: 300,
} as const

const description = cleanText(500).nullish()

export const CreateWebhookInput = z.object({
  name: label,
  url: cleanText(2_048),
  events,
  description,
  project_id: nameId.nullish(),
  retry_config: RetryConfig.nullish(),
  signature_config: SignatureConfig.nullish(),
})

export const UpdateWebhookInput = z
  .object({
    name: label.optional(),
    url: cleanText(2_048).optional(),
    events: events.optional(),
    description,
    retry_config: RetryConfig.nullish(),
    signature_config: SignatureConfig.nullish(),
  })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), 'say what to change')

export const TestWebhookInput = z.object({ event_type: eventType.default('memory.created') })

/** How a delivery is doing. `failed`, in a filter, is another word for `dead_letter`. */
const deliveryStatuses = ['pending', 'retrying', 'delivered', 'dead_letter'] as const
export const statusFilter = z.enum(
  [...deliveryStatuses, 'failed'],
  `must be one of ${deliveryStatuses.join(', ')}, failed`,
)
export type DeliveryStatus = (typeof deliveryStatuses)[number]
export type StatusFilter = z.infer<typeof statusFilter>

export const ReplayInput = z.object({
  since_minutes: z.number().int().min(1).max(10_080).default(60),
  statuses: z.array(statusFilter).min(1).max(10).default(['failed', 'dead_letter']),
  limit: z.number().int().min(1).max(1_000).default(100),
})

export type RetryConfig = z.infer<typeof RetryConfig>
export type SignatureConfig = z.infer<typeof SignatureConfig>
