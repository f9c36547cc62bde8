import { randomInt } from 'node:crypto'

/** Whether campaigns are to look for what is new, and may take their time; else they repeat what is known to hold. */
export const isLong = process.env.FAULTS_LONG === '1'

/** What all random cases of a run follow from: FAULTS_SEED; in the long form a new one; else always the same. */
export const seed = Number(process.env.FAULTS_SEED ?? (isLong ? randomInt(2 ** 31) : 22_112_026))
