import './quick-imports.ts'
import { flushCompileCache } from 'node:module'

// Imported only now: what a module imports statically is looked up before the module itself runs.
const { runGateway } = await import('./process.ts')
await runGateway()
// Also for those who end without a chance to: what was compiled is kept now.
flushCompileCache()
