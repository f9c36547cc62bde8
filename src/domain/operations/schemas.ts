import { z } from 'zod'
import type { BatchState } from '../../db/schema/batches.ts'

/** States of a batch that the backend has not taken (yet). */
export const operationStates = ['stored', 'relaying', 'unknown', 'rejected', 'failed'] as const satisfies BatchState[]

export const ListOperationsInput = z.strictObject({
  status: z.enum(operationStates).optional(),
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
