import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Deployment, embeddedDeployment, servicesDeployment } from './deployments.ts'

const run = promisify(execFile)
const script = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

let installed: Promise<string> | undefined

/** Path of a Python that has the vendors' clients; undefined, named as a skip by the caller, if it cannot be had here. */
export async function vendorPython(): Promise<string | undefined> {
  installed ??= run('bash', [script('services/vendor-clients.sh'), 'install']).then(({ stdout }) => stdout.trim())
  try {
    return await installed
  } catch (error) {
    if (process.env['REQUIRE_SERVICES']) throw error
    return undefined
  }
}

/** What the vendors' Python clients show does not depend on the deployment: they go through the one with services, where that can be tested. */
export async function vendorPythonOn(deployment: Deployment): Promise<string | undefined> {
  return deployment === embeddedDeployment && !servicesDeployment.missing ? undefined : vendorPython()
}

/** Runs a script of `tests/acceptance/clients/` with the vendors' clients; rejects with all it said if it fails. */
export async function runClient(
  python: string,
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env
  try {
    const path = script(`acceptance/clients/${name}`)
    const options = { env: { PATH, HOME, PYTHONUNBUFFERED: '1', ...environment }, timeout: 100_000 }
    return (await run(python, [path], options)).stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${name} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}
