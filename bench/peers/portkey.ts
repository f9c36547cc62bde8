import { type Server, startCommand } from '../harness/processes.ts'
import { answers, freePort, install, scratch } from './install.ts'

/** Portkey's gateway on a free port; `target` is the provider. */
export async function startPortkey(): Promise<Server> {
  const folder = await install('portkey')
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const script = `${folder}/node_modules/@portkey-ai/gateway/build/start-server.js`
  return startCommand({
    command: [process.execPath, script, '--headless', `--port=${port}`],
    env: { NODE_ENV: 'production' },
    log: scratch('portkey.log'),
    ready: () => answers(base, base),
  })
}

export function portkeyHeaders(model: string): Record<string, string> {
  const provider = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${model}/v1` }
  return { authorization: 'Bearer bench', ...provider }
}
