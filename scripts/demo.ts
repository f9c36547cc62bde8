import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { playChat } from './demo/chat.ts'
import { startGateway } from './demo/own-gateway.ts'
import { interrupted, messageOf, say, seconds, style } from './demo/terminal.ts'
import { playTour } from './demo/tour.ts'
import { startTestModel, TEST_MODEL } from './test-model/test-model.ts'

// Plays a tour on a gateway of its own, or with --url on a running one: that of docs/curl-examples.md, or with --chat a chat with memory.

const HELP = `npm run demo [-- --chat] [-- --url http://host:port] [-- --model provider/name]

Plays a tour of the API. Without --url on a gateway that it starts for this, with its data in a folder that it removes.
GATEWAY_ADMIN_KEY: needed for --url if that gateway has one.

--chat   plays a chat with memory instead. The gateway that it starts uses the model provider that the environment has: OPENAI_API_KEY,
         OPENAI_BASE_URL, ANTHROPIC_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY or MODEL_PROVIDERS; without any a built-in ${TEST_MODEL}, which is
         no real model. With --url it needs GATEWAY_ADMIN_KEY, to make an account.
--model  the model of the chat, unless it is google/gemini-2.5-flash or the built-in one.`

const PROVIDER_SETTINGS = [
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
  'GEMINI_API_KEY',
  'GEMINI_BASE_URL',
  'OPENROUTER_API_KEY',
  'OPENROUTER_BASE_URL',
  'MODEL_PROVIDERS',
] as const

interface Options {
  readonly url: string | undefined
  readonly model: string | undefined
  readonly isChat: boolean
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      chat: { type: 'boolean' },
      model: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return say(HELP)
  const { url, model, chat: isChat = false } = values
  await play({ url: url?.replace(/\/+$/, ''), model, isChat })
}

async function play({ url, model, isChat }: Options): Promise<void> {
  const adminKey = url === undefined ? randomBytes(16).toString('hex') : process.env.GATEWAY_ADMIN_KEY || undefined
  const found = providersOfEnvironment()
  const needsTestModel = isChat && url === undefined && Object.keys(found).length === 0
  await using test = needsTestModel ? await startTestModel() : undefined
  const settings = test ? { MODEL_PROVIDERS: JSON.stringify({ test: { base_url: test.baseUrl } }) } : found
  await using own =
    url === undefined ? await startGateway(isChat ? { ...settings, GATEWAY_ADMIN_KEY: adminKey ?? '' } : {}) : undefined
  const base = own?.base ?? url ?? ''
  const start = performance.now()
  say(`Memory Gateway at ${style('bold', base)}`)
  if (test) {
    say(
      `${style('yellow', `No model provider is configured: the built-in ${TEST_MODEL} answers.`)} It is no real model,`,
    )
    say('but a program that answers from the text of the request alone. So what it knows, the gateway put there.')
  }
  if (isChat) await playChat(base, { adminKey, model: model ?? (test && `test/${TEST_MODEL}`) })
  else await playTour(base)
  say(`\n${style('green', `The tour is over: every step as it should be, in ${seconds(start)}.`)}`)
  say(own ? 'The gateway and its data are removed. To keep one: npm start' : `Every route: ${base}/docs`)
}

/** What of the environment says where models are. */
function providersOfEnvironment(): Record<string, string> {
  return Object.fromEntries(PROVIDER_SETTINGS.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

try {
  await main()
} catch (error) {
  console.error(`\n${style('red', interrupted.signal.aborted ? 'Interrupted.' : messageOf(error))}`)
  process.exitCode = 1
}
