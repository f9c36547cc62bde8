import { embeddedDeployment } from '../helpers/deployments.ts'
import { describeChat } from './chat/index.ts'
import { describeWithoutGateway } from './chat/without-gateway.ts'

describeWithoutGateway()
await describeChat(embeddedDeployment)
