import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { runClient } from '../../helpers/vendor-clients.ts'
import type { Suite } from './index.ts'

const run = promisify(execFile)

/** As its page of first steps has them; only the address is another. */
const ADD = `curl -X POST https://api.memorysync.io/memory/add \\
-H "X-API-Key: $MEMORYSYNC_API_KEY" \\
-H "X-Project-ID: $MEMORYSYNC_PROJECT_ID" \\
-H "X-End-User-ID: demo-user-001" \\
-H "Content-Type: application/json" \\
-d '{
"text": "User prefers dark mode and concise responses.",
"source": "chat",
"metadata": {"conversation_id": "conv-123"},
"deduplicate": true
}'`
const QUERY = `curl -X POST https://api.memorysync.io/memory/query \\
-H "X-API-Key: $MEMORYSYNC_API_KEY" \\
-H "X-Project-ID: $MEMORYSYNC_PROJECT_ID" \\
-H "X-End-User-ID: demo-user-001" \\
-H "Content-Type: application/json" \\
-d '{
"query": "What response style does this user prefer?",
"k": 5
}'`

export function memorySync({ site, python }: Suite): void {
  it('the curl commands of its first steps store a memory and find it', async () => {
    const app = await site().newApp()
    const env = { ...process.env, MEMORYSYNC_API_KEY: app.key, MEMORYSYNC_PROJECT_ID: 'demo' }
    const curl = async (command: string) => {
      const { stdout } = await run('bash', ['-c', command.replace('https://api.memorysync.io', app.base)], { env })
      return JSON.parse(stdout)
    }
    const memory = await curl(ADD)
    expect(memory).toMatchObject({
      id: expect.any(Number),
      text: 'User prefers dark mode and concise responses.',
      source: 'chat',
      metadata: { conversation_id: 'conv-123' },
    })
    expect(await curl(ADD)).toMatchObject({ status: 'skipped', memory_ids: [memory.id], candidates_extracted: 1 })
    expect((await curl(QUERY)).memories[0]).toMatchObject({ id: memory.id, score: expect.any(Number) })
  })

  describe.skipIf(!python)("the vendor's own Python client, sync and async", () => {
    const client = (name: string, environment: Record<string, string>) =>
      runClient(python ?? '', name, { GATEWAY_URL: site().url, ...environment })

    it('does all of its memory calls', async () => {
      const output = await client('memorysync_client.py', {
        API_KEY: (await site().newApp()).key,
        LIMITED_KEY: (await site().newApp({ account_plan: 'none' })).key,
        HURRIED_KEY: (await site().newApp({ account_plan: 'hurried' })).key,
      })
      expect(output).toContain('all well')
    })

    it('uses turns, transcripts and state', async () => {
      const { key } = await site().newApp({ project_id: 'default' })
      expect(await client('memorysync_v1.py', { API_KEY: key })).toContain('all of it works')
    })

    it('manages webhooks, keys and projects', async () => {
      const app = await site().newApp({ scopes: ['admin'] })
      const spares = [await site().newKey(app.accountId), await site().newKey(app.accountId)]
      const output = await client('memorysync_control_plane.py', {
        ADMIN_KEY: app.key,
        PLAIN_KEY: (await site().newKey(app.accountId)).api_key,
        SPARE_KEY_IDS: JSON.stringify(spares.map(({ number }) => number)),
      })
      expect(output).toContain('all well')
    })
  })
}
