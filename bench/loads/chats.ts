import type { Bench, Comparison, Goal, Load, Sample } from '../harness/load.ts'
import { type Server, startProgram } from '../harness/processes.ts'
import { gatewayWays, interleave, type Place, runningWay, type Way } from '../harness/rounds.ts'
import { prepareSite } from '../harness/site.ts'
import { VERSIONS } from '../peers/install.ts'
import { startLiteLlm } from '../peers/litellm.ts'
import { portkeyHeaders, startPortkey } from '../peers/portkey.ts'
import { ENDLESS, PACED } from '../references/model-answers.ts'
import { type ChatWay, leftStreams, chats as measureChats, slowStreams } from './chat-measure.ts'

const DIRECT = 'direct'
const PIPE = 'bare pipe'
const PORTKEY = 'Portkey'
const LITELLM = 'LiteLLM'
const PACE = { warm: 1, alone: 0.8, together: 1.5 }
const bare: ChatWay = { prefix: '', headers: {}, withThreads: false, isSame: true }

const x = (to: string): Comparison => ({ value: 'perSecond', by: 'x', to })
const goals = ['gateway, PostgreSQL', 'gateway, PGlite'].flatMap((way): Goal[] => [
  { case: 'JSON', way, of: x(PIPE), atLeast: 0.65 },
  { case: 'SSE', way, of: x(PIPE), atLeast: 0.85 },
  { case: 'JSON', way, of: x(PORTKEY), atLeast: 6 },
  { case: 'SSE', way, of: x(PORTKEY), atLeast: 6 },
  { case: '100 streams side by side', way, of: { value: 'firstP50', by: '+', to: DIRECT }, atMost: 2 },
  { case: 'streams left in the middle', way, of: 'leftStreams', atMost: 0 },
])

export const chats: Load = {
  id: 'C',
  title: 'The chat proxy without memory',
  about: `Chats of one question; the stub of a provider answers at once, as JSON or as 61 events. Times are of one chat after the other, rates and CPU time of 16 at a time. "${DIRECT}" asks the stub itself, "${PIPE}" through a server of node:http that passes on what comes. ${PORTKEY} is @portkey-ai/gateway ${VERSIONS.portkey}, ${LITELLM} its proxy ${VERSIONS.litellm} with one worker; neither has keys, limits or a database here. The gateway has all switched on: keys that are looked up, rate limits and usage that are counted, log, metrics, headers. An answer counts only if it is the stub's: byte for byte, of the other products by what it says. Streams are left in the middle, 1,000 of the gateway's and 40 of the others'; a second later the stub is asked how many it still writes, and the server has to answer as before.`,
  shown: ['p50', 'p99', 'firstP50', 'perSecond', 'cpuMs', 'leftStreams'],
  compared: [
    { value: 'p50', by: '+', to: DIRECT },
    { value: 'firstP50', by: '+', to: DIRECT },
    x(PIPE),
    x(PORTKEY),
    { value: 'cpuMs', by: 'x', to: PIPE },
    { value: 'cpuMs', by: 'x', to: PORTKEY },
  ],
  goals,
  chart: x(PIPE),
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  await using cleanUp = new AsyncDisposableStack()
  const model = await startProgram('references/model.ts')
  cleanUp.defer(model.stop)
  const ways: Way<ChatWay>[] = [
    runningWay(DIRECT, model, bare),
    { name: PIPE, options: bare, start: () => startProgram('references/proxy.ts', ['pipe', model.base]) },
    ...(await peers(bench, model, cleanUp)),
  ]
  for (const database of bench.databases) {
    const site = await prepareSite({ database, settings: { OPENAI_BASE_URL: `${model.base}/v1` } })
    cleanUp.defer(site.drop)
    const headers = { authorization: `Bearer ${site.serviceKey}` }
    ways.push(...gatewayWays(bench, site, `gateway, ${database}`, { ...bare, headers, prefix: 'openai/' }))
  }
  return await interleave(bench, ways, (place) => measure(bench, place, model))
}

/** Those that can be installed and started. LiteLLM takes long to start: it runs through all rounds. */
async function peers(bench: Bench, model: Server, cleanUp: AsyncDisposableStack): Promise<Way<ChatWay>[]> {
  const ways: Way<ChatWay>[] = []
  try {
    await (await startPortkey()).stop()
    ways.push({
      name: PORTKEY,
      options: { ...bare, isSame: false, headers: portkeyHeaders(model.base) },
      start: startPortkey,
    })
  } catch (error) {
    bench.skip(PORTKEY, String(error))
  }
  try {
    const server = await startLiteLlm(model.base, ['bench', PACED, ENDLESS])
    cleanUp.defer(server.stop)
    ways.push(runningWay(LITELLM, server, { ...bare, isSame: false }))
  } catch (error) {
    bench.skip(LITELLM, String(error))
  }
  return ways
}

async function measure(bench: Bench, place: Place<ChatWay>, model: Server) {
  const samples = [
    await measureChats(bench, place, false, PACE),
    await measureChats(bench, place, true, PACE),
    await slowStreams(bench, place, PACED),
  ]
  if (place.way.name === DIRECT) return samples
  const streams = place.way.name.startsWith('gateway') ? 1_000 : 40
  return [...samples, await leftStreams(bench, place, { model: ENDLESS, base: model.base, streams })]
}
