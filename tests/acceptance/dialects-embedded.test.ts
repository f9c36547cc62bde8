import { embeddedDeployment } from '../helpers/deployments.ts'
import { describeDialects } from './dialects/index.ts'

await describeDialects(embeddedDeployment)
