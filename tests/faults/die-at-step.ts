import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { STEPS_CHANNEL } from '../../src/observability/steps.ts'

// Loaded into a gateway by `node --import`: the process kills itself as it reaches a step for the n-th time.

const { DIE_AT_STEP, DIE_AT_OCCURRENCE } = process.env
let left = Number(DIE_AT_OCCURRENCE)

subscribe(STEPS_CHANNEL, (message) => {
  const { step } = message as { step: string }
  if (step !== DIE_AT_STEP || --left > 0) return
  writeSync(1, `${JSON.stringify({ msg: 'dying', step })}\n`)
  process.kill(process.pid, 'SIGKILL')
})
