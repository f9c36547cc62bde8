import { writeFileSync } from 'node:fs'
import { type Server, startCommand } from '../harness/processes.ts'
import { answers, freePort, install, scratch } from './install.ts'

/** LiteLLM's proxy with one worker, as it is by default; `model` is the provider, for the models named. */
export async function startLiteLlm(model: string, names: readonly string[]): Promise<Server> {
  const folder = await install('litellm')
  const config = scratch('litellm.yaml')
  const models = names.map((name) => ({
    model_name: name,
    litellm_params: { model: `openai/${name}`, api_base: `${model}/v1`, api_key: 'bench' },
  }))
  // YAML takes JSON.
  writeFileSync(config, JSON.stringify({ model_list: models, litellm_settings: { telemetry: false } }))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const bin = `${folder}/venv/bin`
  return startCommand({
    command: [`${bin}/python`, `${bin}/litellm`, '--config', config, '--host', '127.0.0.1', '--port', String(port)],
    env: { LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_LOG: 'ERROR' },
    log: scratch('litellm.log'),
    ready: () => answers(`${base}/health/liveliness`, base),
  })
}
