import { createRequire } from 'node:module'
import { join } from 'node:path'
import { bytesOf, listen } from '../references/listen.ts'
import { EXTRACTS } from '../references/model-answers.ts'

// mem0's library behind a server of node:http: a chat searches the memory, asks the model, and adds what was said, as an application does that uses it. The
// folder where mem0 is, that of its database, the model's address and how many memories it begins with follow.

const [folder = '', dir = '', model = '', count = '0'] = process.argv.slice(2)
process.env.MEM0_TELEMETRY = 'false'
const { Memory } = createRequire(`${folder}/package.json`)('mem0ai/oss') as { Memory: new (config: object) => Mem0 }

interface Mem0 {
  add(messages: object[], options: object): Promise<{ results: unknown[] }>
  search(query: string, options: object): Promise<{ results: unknown[] }>
}

const connection = { apiKey: 'bench', baseURL: `${model}/v1` }
const memory = new Memory({
  disableHistory: true,
  embedder: { provider: 'openai', config: { ...connection, url: `${model}/v1`, model: 'bench', embeddingDims: 256 } },
  llm: { provider: 'openai', config: { ...connection, model: EXTRACTS } },
  vectorStore: {
    provider: 'memory',
    config: { collectionName: 'bench', dimension: 256, dbPath: join(dir, 'mem0.db') },
  },
})
const OWNER = { userId: 'bench' }

for (let at = 0; at < Number(count); at++) {
  const content = `My sister told me on day ${at} of the plans for Bergen, note n${at.toString(36)}.`
  await memory.add([{ role: 'user', content }], { ...OWNER, infer: false })
}

listen((incoming, outgoing) => {
  const answered = bytesOf(incoming).then((bytes) => chat(bytes.toString()))
  answered.then(
    ({ answer, used }) => {
      outgoing.writeHead(200, { 'content-type': 'application/json', 'x-memory-status': used ? 'used' : 'empty' })
      outgoing.end(answer)
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      outgoing.writeHead(500).end()
    },
  )
})

async function chat(text: string): Promise<{ answer: string; used: boolean }> {
  const request = JSON.parse(text) as { messages: { role: string; content: string }[] }
  const question = request.messages.at(-1)?.content ?? ''
  const { results } = await memory.search(question, { filters: { user_id: OWNER.userId }, topK: 10 })
  const response = await fetch(`${model}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  })
  const answer = await response.text()
  const said = (JSON.parse(answer) as { choices: { message: object }[] }).choices[0]?.message ?? {}
  const added = await memory.add([...request.messages, said], OWNER)
  if (added.results.length === 0) throw new Error('mem0 added nothing.')
  return { answer, used: results.length > 0 }
}
