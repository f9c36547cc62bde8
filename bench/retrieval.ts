import { parseArgs } from 'node:util'
import { openLocalEmbedding } from '../src/adapters/embedding-model/local/local-embedding.ts'
import { createOpenAiCompatibleEmbedding } from '../src/adapters/embedding-model/openai-compatible.ts'
import { UNRELATED } from '../src/adapters/memory-backend/embedded/embeddings/background-similarity.ts'
import { migratePglite } from '../src/db/migrate.ts'
import { openPglite } from '../src/db/pglite.ts'
import type { EmbeddingModel } from '../src/ports/embedding-model.ts'
import { ABLATIONS } from './retrieval/ablations.ts'
import { type Conversation, FORMAT, readConversations } from './retrieval/conversations.ts'
import { loadEngine } from './retrieval/engine.ts'
import { engineTokens, PLAIN_BM25, plainBm25, plainTokens, type Tokens } from './retrieval/plain-bm25.ts'
import { preparedModel } from './retrieval/prepared-model.ts'
import { type Finder, header, line, measure, table } from './retrieval/recall.ts'

// How many of the turns that answer a question are among the first that a search finds (evidence recall).
//   npm run bench:retrieval -- DIR [--ablation] [--embedding-url URL --embedding-model NAME | --embedding-folder FOLDER]     or RETRIEVAL_DATA=DIR
// The engine runs in this process on a database in memory, without any model; the same data give the same figures. With an embedding model (any server with
// OpenAI's `/embeddings`; bench/embedding-server.py is one; or weights in a folder) it is measured again.

async function argumentsGiven() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ablation: { type: 'boolean', default: false },
      'embedding-url': { type: 'string' },
      'embedding-model': { type: 'string', default: 'default' },
      'embedding-folder': { type: 'string' },
    },
  })
  const directory = positionals[0] ?? process.env.RETRIEVAL_DATA
  const { 'embedding-url': baseUrl, 'embedding-model': name, 'embedding-folder': folder } = values
  try {
    if (directory === undefined) throw new Error('Which folder? npm run bench:retrieval -- DIR, or RETRIEVAL_DATA=DIR')
    const conversations = readConversations(directory)
    return { conversations, ablation: values.ablation, model: await openModel(name, baseUrl, folder) }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${FORMAT}`)
    process.exit(1)
  }
}

async function openModel(
  model: string,
  baseUrl: string | undefined,
  folder: string | undefined,
): Promise<EmbeddingModel | undefined> {
  const timeoutMs = 300_000
  if (folder !== undefined) return openLocalEmbedding({ folder, timeoutMs })
  const options = { model, apiKey: process.env.EMBEDDING_API_KEY, timeoutMs }
  return baseUrl === undefined ? undefined : createOpenAiCompatibleEmbedding({ ...options, baseUrl })
}

function baseline(tokens: Tokens): Finder {
  const finders = new Map<Conversation, (question: string) => string[]>()
  return (conversation, { text }) => {
    const find = finders.get(conversation) ?? plainBm25(conversation, tokens)
    finders.set(conversation, find)
    return find(text)
  }
}

const print = (lines: readonly string[]) => console.log(`${lines.join('\n')}\n`)

const { conversations, ablation, model } = await argumentsGiven()
const count = (of: (conversation: Conversation) => readonly unknown[]) =>
  conversations.reduce((sum, conversation) => sum + of(conversation).length, 0)
print([
  `${conversations.length} conversations, ${count(({ turns }) => turns)} turns, ${count(({ questions }) => questions)} questions; evidence recall in percent`,
  `${PLAIN_BM25}`,
])
print(table('plain BM25', await measure(conversations, baseline(plainTokens))))
print(table("BM25, the engine's tokeniser", await measure(conversations, baseline(engineTokens))))

async function measureEngine(name: string, embedding?: EmbeddingModel): Promise<void> {
  const database = await openPglite({})
  try {
    await migratePglite(database.client)
    const engine = await loadEngine(database, conversations, embedding)
    const start = performance.now()
    const outcomes = await measure(conversations, engine.find)
    print(table(name, outcomes))
    console.log(`${((performance.now() - start) / outcomes.length).toFixed(1)} ms a search on PGlite\n`)
    if (ablation && !embedding) {
      const lines = [header('the engine without …'), line('(nothing left out)', outcomes)]
      for (const { without, weights } of ABLATIONS) {
        const rank: Finder = (conversation, question) => engine.rank(conversation, question, weights)
        lines.push(line(without, await measure(conversations, rank)))
      }
      print(lines)
    }
    await engine.backend.close()
  } finally {
    await database.close()
  }
}

await measureEngine('the engine, without a model')
if (model) {
  const questions = conversations.flatMap((conversation) => conversation.questions.map(({ text }) => text.trim()))
  const prepared = await preparedModel(model, [...questions, ...UNRELATED])
  await measureEngine(`the engine, with the embedding model "${model.model}"`, prepared)
}
