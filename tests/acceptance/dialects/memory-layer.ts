import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { TestApp } from '../../helpers/dialects.ts'
import type { Suite } from './index.ts'

const run = promisify(execFile)
const examples = readFileSync('fixtures/dialects/memory-layer/examples.md', 'utf8')
const blocks = (language: string) =>
  [...examples.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code = '']) => code)
const example = (language: string, part: string) => {
  const found = blocks(language).filter((code) => code.includes(part))
  if (!found[0]) throw new Error(`There is no example with ${part}.`)
  return found[0]
}
const vendor = 'https://memory-layer-api.onrender.com'
const exampleId = 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56'
const john = 'john_doe@gmail.com'

/** With the gateway's address and a key: nothing else of an example is changed. */
function forApp(code: string, app: TestApp): string {
  return code.replaceAll(vendor, app.base).replaceAll('YOUR_API_KEY', app.key).replaceAll('YOUR_SUPABASE_JWT', app.key)
}

/** Runs an example with `ids` in the place of its own, and says which status and body it got. */
async function curl(app: TestApp, code: string, ids: Record<string, string> = {}) {
  const command = Object.entries(ids).reduce((text, [from, to]) => text.replaceAll(from, to), forApp(code, app))
  const { stdout } = await run('bash', ['-c', `${command.trim()} -s -w '\\n%{http_code}'`])
  const [status = '', ...body] = stdout.split('\n').toReversed()
  return { status: Number(status), body: JSON.parse(body.toReversed().join('\n')) }
}

/** A module of the example; what follows its class runs as it is loaded. */
async function load(code: string, app: TestApp): Promise<Record<string, unknown>> {
  return import(`data:text/javascript;base64,${Buffer.from(forApp(code, app)).toString('base64')}`)
}

export function memoryLayer({ site, python }: Suite): void {
  describe('the curl examples', () => {
    it('are all here', () => {
      expect(blocks('bash')).toHaveLength(16)
      expect(blocks('javascript')).toHaveLength(2)
      expect(blocks('python')).toHaveLength(1)
    })

    it('store, chat, search, list, read, count and delete', async () => {
      const app = await site().newApp()
      const first = await curl(app, example('bash', 'SaaS dashboard in React'))
      expect(first).toMatchObject({ status: 201, body: { status: 'success', memory: { external_user_id: john } } })
      const chat = await curl(app, example('bash', '"What am I building?", "external'))
      expect(chat).toMatchObject({
        status: 200,
        body: { reply: 'You are building a SaaS dashboard in React.', memory_created: expect.any(Boolean) },
      })
      expect(chat.body.used_memories[0]).toMatchObject({ memory_text: 'User is building a SaaS dashboard in React' })
      const second = await curl(app, example('bash', '"content": "User prefers dark mode'))
      expect(second).toMatchObject({ status: 201, body: { memory: { metadata: { source: 'onboarding' } } } })
      const found = await curl(app, example('bash', 'What editor does'))
      expect(found).toMatchObject({ status: 200, body: { total_count: 1 } })
      const list = await curl(app, example('bash', '?limit=20&offset=0'))
      // The chat's question is one of them.
      expect(list).toMatchObject({ status: 200, body: { total_count: 3 } })
      const ids = { [exampleId]: first.body.memory.id }
      const [read = ''] = blocks('bash').filter((code) => code.includes(exampleId) && !code.includes('DELETE'))
      expect(await curl(app, read, ids)).toMatchObject({ status: 200, body: { memory: { id: first.body.memory.id } } })
      expect(await curl(app, read)).toEqual({ status: 404, body: { detail: 'Memory not found' } })
      expect(await curl(app, example('bash', '/v1/memory/stats'))).toMatchObject({ status: 200 })
      const tools = await curl(app, example('bash', 'What tools do I prefer'))
      expect(tools).toMatchObject({ status: 200, body: { reply: 'You prefer dark mode and uses VS Code.' } })
      const legacy = await curl(app, example('bash', '/v1/chat/legacy'))
      expect(legacy).toMatchObject({ status: 200, body: { mode: 'process' } })
      expect(legacy.body.memory_ids).toContain(first.body.memory.id)
      expect(await curl(app, example('bash', '-X DELETE'), ids)).toMatchObject({ status: 200 })
    })

    it('summarise, prune and maintain', async () => {
      const app = await site().newApp()
      for (const part of ['/v1/memory/summarize', '/v1/memory/prune', '/v1/memory/maintenance/all']) {
        expect(await curl(app, example('bash', part))).toMatchObject({ status: 200, body: { status: 'success' } })
      }
    })

    it('manage keys', async () => {
      const app = await site().newApp({ scopes: ['admin'] })
      const made = await curl(app, example('bash', 'Production Key'))
      expect(made).toMatchObject({ status: 201, body: { name: 'Production Key' } })
      const [list = ''] = blocks('bash').filter((code) => code.includes('/v1/keys/ ') && !code.includes('POST'))
      expect(await curl(app, list)).toMatchObject({ status: 200, body: { total_count: 2 } })
      const revoke = example('bash', 'key_abc123/revoke')
      expect(await curl(app, revoke, { key_abc123: made.body.id })).toMatchObject({ status: 200 })
      expect(await curl(app, revoke)).toEqual({ status: 404, body: { detail: 'API key not found' } })
    })
  })

  describe('the JavaScript examples', () => {
    it('keep end users apart, also where no content type is sent', async () => {
      const app = await site().newApp()
      await load(example('javascript', 'Alice is on the Pro plan'), app)
      const { body } = await app.get('/v1/memory/')
      expect(body.memories.map((one: { external_user_id: string }) => one.external_user_id)).toEqual([
        'bob@company.com',
        'alice@company.com',
      ])
    })

    it('work with the client class', async () => {
      interface Client {
        remember(content: string, metadata?: object): Promise<{ status: string; memory: { metadata: object } }>
        recall(query: string): Promise<{ results: { memory: { content: string } }[] }>
        chat(message: string): Promise<{ reply: string }>
      }
      const app = await site().newApp()
      // Its usage runs as the module is loaded.
      const { MemoryLayerClient } = await load(example('javascript', 'export class MemoryLayerClient'), app)
      const client = new (MemoryLayerClient as new (key: string, user: string) => Client)(app.key, john)
      const kept = await client.remember('Deploys with Docker', { tag: 'ops' })
      expect(kept).toMatchObject({ status: 'success', memory: { metadata: { tag: 'ops' } } })
      const { results } = await client.recall('Vue or React')
      expect(results[0]?.memory.content).toBe('I prefer React over Vue for frontend work')
      const { reply } = await client.chat('What frontend framework do I use?')
      expect(reply).toBe('You prefer React over Vue for frontend work.')
    })
  })

  it.skipIf(!python)('the Python example remembers, recalls and chats', async () => {
    const app = await site().newApp()
    const recall = 'import json\nprint(json.dumps(client.recall("React dashboard")))'
    const { stdout } = await run(python ?? '', ['-c', `${forApp(example('python', 'class'), app)}\n${recall}`])
    const [reply, found] = stdout.trim().split('\n')
    expect(reply).toBe('You are building a React dashboard for a SaaS startup.')
    expect(JSON.parse(found ?? '')).toMatchObject([
      { memory: { content: 'I am building a React dashboard for a SaaS startup', external_user_id: john } },
    ])
  })
}
