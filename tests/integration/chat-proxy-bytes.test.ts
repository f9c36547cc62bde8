import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeAccount } from '../helpers/service.ts'
import { postBytes, type StubProvider, startStubProvider, writeParts } from '../helpers/stub-provider.ts'

const PATHS = ['/chat/completions', '/responses', '/messages'] as const
const JSON_TYPE = { 'content-type': 'application/json' }
const SSE_TYPE = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }

/** Bodies as clients send them; `MODEL` stands for the model's name. */
const bodies: Record<string, string | Buffer> = {
  plain: '{"model":"MODEL","messages":[{"role":"user","content":"Hello"}]}',
  'the model last, after others of that name':
    '{"a":{"model":"x"},"messages":[{"model":"y","content":"\\"model\\":\\"z\\""}],"model":"MODEL"}',
  'odd white space': ' \r\n\t{\n  "model" :\t"MODEL" ,\r\n"messages":[ ]  ,  "x" : {  } }\n\n',
  'numbers that no double has':
    '{"model":"MODEL","seed":12345678901234567890,"t":1.0,"e":1E+2,"z":-0.0,"p":0.30000000000000004}',
  'escapes that need not be': '{"\\u006dodel2":1,"model":"MODEL","s":"\\u00e9\\/\\ud83d\\ude00\\u2028 \\u0041"}',
  'bytes beyond ASCII': Buffer.from('{"model":"MODEL","s":"é 漢字 😀 \u2028 \u00a0"}'),
  'lone surrogates': '{"model":"MODEL","s":"\\ud83d"}',
  'members twice': '{"x":1,"x":2,"model":"MODEL","":null," ":[]}',
  tools:
    '{"model":"MODEL","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":"auto","stream_options":{"include_usage":true}}',
  picture: `{"model":"MODEL","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${'iVBORw0KGgo'.repeat(20_000)}"}}]}]}`,
}

const event = (data: unknown, name?: string) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`
const stream = `: hi\n\n${event({ a: 1 }, 'message_start')}${event({ t: 'é 漢 😀' })}data: a\ndata: b\nid: 7\n\n${event({ n: 12 })}data: [DONE]\n\n`
const crlf = stream.replaceAll('\n', '\r\n')
const every = (text: string | Buffer, size: number) => {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
}
const whole =
  (status: number, body: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) }).end(body)
const parts =
  (list: readonly (string | Buffer)[], headers: Record<string, string> = SSE_TYPE, status = 200) =>
  async (response: ServerResponse) => {
    response.writeHead(status, headers)
    await writeParts(response, list)
    response.end()
  }

const answers: Record<string, (response: ServerResponse) => void | Promise<void>> = {
  json: whole(200, '{ "id" : "x",\n "n": 1.0, "s": "\\u00e9"  }\n'),
  'json in parts': parts(every('{"choices":[{"message":{"content":"é 漢 😀"}}]}', 3), JSON_TYPE),
  'json, gzip': whole(200, gzipSync('{"a":1}'), { ...JSON_TYPE, 'content-encoding': 'gzip' }),
  'no content': (response) => void response.writeHead(204).end(),
  empty: whole(200, ''),
  bytes: whole(200, Buffer.from([0, 255, 254, 13, 10]), { 'content-type': 'application/octet-stream' }),
  'bad request': whole(400, '{"error":{"message":"no  such","type":"invalid_request_error","param":null,"code":"x"}}'),
  unauthorised: whole(401, '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'),
  limited: whole(429, '{"error":{}}', { ...JSON_TYPE, 'retry-after': '7', 'x-ratelimit-remaining-tokens': '0' }),
  overloaded: whole(529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
  'server error': whole(500, '<html>oops', { 'content-type': 'text/html' }),
  'error in the form of a stream': parts([event({ error: { message: 'no' } })], SSE_TYPE, 503),
  events: parts([stream]),
  'events, each byte apart': parts(every(stream, 1)),
  'events, seven bytes apart': parts(every(stream, 7)),
  'events with CRLF, five bytes apart': parts(every(crlf, 5)),
  'events with CRLF': parts([crlf]),
  'events without an end': parts(['data: {"a":1}\n\ndata: [DONE]\n']),
  'events, gzip': parts(every(gzipSync(stream), 9), { ...SSE_TYPE, 'content-encoding': 'gzip' }),
  'an event of 600 KB': parts([`data: ${'x'.repeat(300_000)}`, 'y'.repeat(300_000), '\n\n', 'data: [DONE]\n\n']),
}

let gateway: TestGateway
let provider: StubProvider
let authorization: string

beforeAll(async () => {
  provider = await startStubProvider()
  gateway = await startGateway({
    MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url } }),
    RATE_LIMIT_PROXY_10S: '0',
  })
  authorization = `Bearer ${(await makeAccount(gateway)).apiKey}`
  for (const [name, answer] of Object.entries(answers)) provider.script(name, answer)
})
afterAll(async () => {
  await gateway.close()
  await provider.close()
})

/** Each answer with a body, and each body with an answer, on each path in turn. */
const pairs = [
  ...Object.keys(answers).flatMap((answer, at) => [0, 1].map((more) => ({ answer, at: at + more }))),
  ...Object.keys(bodies).map((_, at) => ({ answer: 'json', at })),
].map(({ answer, at }, number) => {
  const names = Object.keys(bodies)
  return { answer, body: names[at % names.length] ?? '', path: PATHS[number % PATHS.length] ?? PATHS[0] }
})

const withModel = (body: string | Buffer, model: string) => Buffer.from(body.toString().replace('MODEL', model))
const COMPARED = ['content-type', 'content-encoding', 'content-length', 'retry-after', 'x-ratelimit-remaining-tokens']

describe(`${pairs.length} requests and answers, with the gateway and without`, () => {
  it.each(pairs)('are the same bytes: $path, $body, $answer', async ({ path, body, answer }) => {
    const given = bodies[body] ?? ''
    const headers = { 'x-script': answer, 'accept-encoding': 'gzip', 'x-client': 'same' }
    const direct = await postBytes(provider.url + path, withModel(given, 'some/model'), headers)
    const through = await postBytes(`${gateway.url}/v1${path}`, withModel(given, 'local/some/model'), {
      ...headers,
      authorization,
    })
    expect(through.bytes.equals(direct.bytes)).toBe(true)
    expect(through.status).toBe(direct.status)
    for (const name of COMPARED) expect([name, through.headers[name]]).toEqual([name, direct.headers[name]])
    const [asked, passed] = provider.calls.slice(-2)
    expect(passed?.body.equals(asked?.body ?? Buffer.alloc(0))).toBe(true)
    const { host: _, connection: __, ...sent } = passed?.headers ?? {}
    expect(sent).toEqual(Object.fromEntries(Object.keys(sent).map((name) => [name, asked?.headers[name]])))
  })
})
