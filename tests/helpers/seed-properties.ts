import fc from 'fast-check'
import { seed } from './seed.ts'

// A set-up file of Vitest: a property that failed names its seed, so that FAULTS_SEED repeats a run of the long form.
fc.configureGlobal({ seed })
