import { z } from 'zod'

export const maintenanceTasks = ['consolidation', 'reflection'] as const
export type MaintenanceTask = (typeof maintenanceTasks)[number]

const maintenanceFrequencies = ['daily', 'weekly', 'monthly'] as const
export type MaintenanceFrequency = (typeof maintenanceFrequencies)[number]

export interface TaskSettings {
  readonly enabled: boolean
  readonly frequency: MaintenanceFrequency
  /** ISO 8601; null if it never ran. */
  readonly lastRunAt: string | null
}

export type AutoMaintenance = Readonly<Record<MaintenanceTask, TaskSettings>>

const change = z
  .strictObject({ enabled: z.boolean().optional(), frequency: z.enum(maintenanceFrequencies).optional() })
  .optional()

export const AutoMaintenanceChanges = z.strictObject({ consolidation: change, reflection: change })
