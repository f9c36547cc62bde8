import { servicesDeployment } from '../helpers/deployments.ts'
import { describeDialects } from './dialects/index.ts'

await describeDialects(servicesDeployment)
