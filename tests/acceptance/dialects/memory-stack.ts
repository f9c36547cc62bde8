import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { runClient } from '../../helpers/vendor-clients.ts'
import type { Suite } from './index.ts'

const run = promisify(execFile)
const examples = readFileSync('fixtures/dialects/memory-stack/examples.md', 'utf8')
const [create = '', list = ''] = [...examples.matchAll(/```bash\n(.*?)```/gs)].map(([, code = '']) => code)

export function memoryStack({ site, python }: Suite): void {
  it('the curl examples create memories, and list them', async () => {
    const app = await site().newApp()
    const curl = async (code: string) => {
      const command = code.replaceAll('https://your-domain.com', app.base).replaceAll('YOUR_API_KEY', app.key)
      return JSON.parse((await run('bash', ['-c', `${command.trim()} -s --fail-with-body`])).stdout)
    }
    const created = await curl(create)
    expect(created).toEqual({
      success: true,
      memories_created: 2,
      memory_ids: [expect.any(String), expect.any(String)],
      owner_id: app.accountId,
      user_id: 'user_123',
    })
    const { results, ...page } = await curl(list)
    expect(page).toEqual({ success: true, count: 2, next_cursor: null })
    expect(Object.keys(results[0])).toEqual([
      'id',
      'owner_clerk_id',
      'end_user_id',
      'content',
      'memory_type',
      'confidence',
      'metadata',
      'source_type',
      'created_at',
      'updated_at',
    ])
  })

  it.skipIf(!python)("the vendor's Python client works with nothing changed but its base URL and key", async () => {
    const app = await site().newApp()
    const limited = await site().newApp({ account_plan: 'one-request' })
    const environment = { BASE_URL: app.base, API_KEY: app.key, LIMITED_KEY: limited.key }
    expect(await runClient(python ?? '', 'memorystack_client.py', environment)).toContain('all methods work')
  })
}
