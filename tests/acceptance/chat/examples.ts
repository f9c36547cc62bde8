import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ADMIN_KEY } from '../../helpers/chat-site.ts'
import { picture, until } from '../../helpers/client.ts'
import { PROVIDER_KEYS } from '../../helpers/scripted-model.ts'
import type { GatewaySuite } from './suite.ts'

const run = promisify(execFile)
const blocks = [...readFileSync('docs/chat-examples.md', 'utf8').matchAll(/```bash\n(.*?)```/gs)].map(
  ([, code = '']) => code,
)

const request = (headers: string, said: string) => `curl https://gateway-api.mastra.ai/v1/chat/completions \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
${headers}  -d '{
    "model": "google/gemini-2.5-flash",
    "messages": [
      { "role": "user", "content": "${said}" }
    ]
  }'`
const inThread = '  -H "x-thread-id: my-thread-1" \\\n  -H "x-resource-id: user-42" \\\n'

/** The first steps of the Mastra Memory Gateway, as its page has them; only host and key are others. */
const FIRST_STEPS = [
  request('', 'Hello World!'),
  request(inThread, 'My name is Alex and I prefer concise answers.'),
  request(inThread, 'What is my name?'),
]

/** Examples of documents, run as they stand there. */
export function examples({ deployment, site }: GatewaySuite): void {
  // EverOS finds the ends of episodes by itself, or is told after ten quiet minutes: until then other threads do not know.
  const isFoundAtOnce = !deployment.name.includes('EverOS')

  it('the first steps of the Mastra Memory Gateway end with the name', async () => {
    const app = await site().newApp()
    site().model.sent()
    const answers: string[] = []
    for (const command of FIRST_STEPS) {
      const ours = command.replace('https://gateway-api.mastra.ai', site().url).replace('YOUR_API_KEY', app.key)
      const { choices } = JSON.parse((await run('bash', ['-c', ours])).stdout)
      answers.push(choices[0].message.content)
    }
    expect(answers).toEqual([expect.stringContaining('test-model'), 'Nice to meet you, Alex.', 'Alex'])
    const sent = site().model.sent()
    expect(sent.map(({ path, body }) => [path, body.model])).toEqual(
      Array.from({ length: 3 }, () => ['/v1beta/openai/chat/completions', 'gemini-2.5-flash']),
    )
    expect(sent[2]?.headers.authorization).toBe(`Bearer ${PROVIDER_KEYS.gemini}`)
    expect(JSON.stringify(sent.map(({ headers }) => headers))).not.toMatch(/mgk_live_|x-thread-id|x-resource-id/)
  })

  it.runIf(isFoundAtOnce)('docs/chat-examples.md', async () => {
    expect(blocks).toHaveLength(8)
    const app = await site().newApp()
    const curl = async (step: number) => {
      const command = (blocks[step - 1] ?? '').replaceAll('http://127.0.0.1:8010', site().url)
      return (await run('bash', ['-c', command.replaceAll('<API_KEY>', app.key)])).stdout
    }
    const answer = async (step: number) => JSON.parse(await curl(step)).choices[0].message.content
    expect(await answer(1)).toContain('test-model')
    expect(await answer(2)).toBe('Nice to meet you, Alex.')
    expect(await answer(3)).toBe('Alex')
    // What was answered in the second thread before the name was found is no help: it stays there as it was said.
    const found = await until(
      () => answer(4),
      (said) => said === 'Alex',
      60_000,
    )
    expect(found).toBe('Alex')
    expect(await answer(5)).toBe(`I see 1 picture (image/png, ${picture.length} bytes).`)
    expect(await curl(6)).toMatch(/"content":"Alex".*data: \[DONE\]\n\n$/s)
    expect(JSON.parse(await curl(7))).toMatchObject({ total: 6 })
    expect(JSON.parse(await curl(8))).toMatchObject({ ok: true })
    expect(JSON.parse(await curl(7))).toMatchObject({ error: { type: 'not_found' } })
  })

  it.runIf(isFoundAtOnce)('npm run demo -- --chat --url', async () => {
    const { PATH = '' } = process.env
    const { stdout } = await run(
      process.execPath,
      ['scripts/demo.ts', '--chat', '--url', site().url, '--model', 'openai/test-model'],
      { env: { PATH, GATEWAY_ADMIN_KEY: ADMIN_KEY } },
    )
    expect(stdout).not.toContain('No model provider is configured')
    expect(stdout).toContain('The tour is over: every step as it should be')
    expect(stdout).toContain(`Every route: ${site().url}/docs`)
  })
}
