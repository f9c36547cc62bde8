import { channel } from 'node:diagnostics_channel'

/** The name of the diagnostics channel on which `{ step }` is published as a step is reached. */
export const STEPS_CHANNEL = 'memory-gateway:step'

/**
 * The points between which an upload, an exchange of a chat, a relay or a deletion can be cut off, in their order. Tracers may subscribe; the fault tests
 * do, and kill the process at each.
 */
export const steps = [
  'authenticated',
  'spooled',
  'intent-stored',
  'object-put',
  'objects-put',
  'batch-storing',
  'batch-stored',
  'answering',
  'exchange-taken-in',
  'exchange-answered',
  'session-claimed',
  'adding',
  'added',
  'flushing',
  'flushed',
  'outcome-recorded',
  'session-deleted',
  'user-erased',
  'object-deleted',
  'session-forgotten',
  'upload-discarded',
] as const
export type Step = (typeof steps)[number]

const reached = channel(STEPS_CHANNEL)

/** Costs next to nothing while nobody subscribes. */
export function step(name: Step): void {
  if (reached.hasSubscribers) reached.publish({ step: name })
}
