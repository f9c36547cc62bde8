import { servicesDeployment } from '../helpers/deployments.ts'
import { describeChat } from './chat/index.ts'

await describeChat(servicesDeployment)
