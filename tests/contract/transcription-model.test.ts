import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTranscriptionModel } from '../../src/adapters/model-provider/transcription.ts'
import type { Recording, TranscriptionModel } from '../../src/ports/transcription-model.ts'
import { type RawServer, startRawServer } from '../helpers/raw-server.ts'

const KEY = 'sk-transcription-0123456789'
let server: RawServer
let model: TranscriptionModel
let answer: { status: number; body: string } | 'silence'

beforeAll(async () => {
  server = await startRawServer((_, response) => {
    if (answer === 'silence') return
    response.writeHead(answer.status, { 'content-type': 'application/json', 'retry-after': '7' }).end(answer.body)
  })
  model = createTranscriptionModel({ model: 'hear-1', baseUrl: `${server.url}/v1/`, apiKey: KEY, timeoutMs: 500 })
})
beforeEach(() => {
  answer = { status: 200, body: '{"text":" Buy milk. ","usage":{"type":"tokens","input_tokens":14,"output_tokens":4}}' }
})
afterAll(async () => {
  await model.close()
  await server.close()
})

function recordingOf(bytes: Buffer, more: Partial<Recording> = {}): Recording {
  const pieces = [bytes.subarray(0, 3), bytes.subarray(3)]
  return {
    ext: 'wav',
    mimeType: 'audio/wav',
    size: bytes.length,
    open: () => Promise.resolve(Readable.from(pieces)),
    ...more,
  }
}
const recording = recordingOf(Buffer.from('RIFF of some sound'))

describe('a transcription model', () => {
  it('is sent the recording as a form, and says what it heard', async () => {
    expect(await model.transcribe(recording)).toEqual({ text: 'Buy milk.', tokens: { input: 14, output: 4 } })
    const { url, headers } = server.started.at(-1)!
    expect(url).toBe('/v1/audio/transcriptions')
    expect(headers.authorization).toBe(`Bearer ${KEY}`)
    const body = server.bodies.at(-1)!
    expect(headers['content-length']).toBe(String(body.length))
    const form = await new Response(body, { headers: { 'content-type': headers['content-type']! } }).formData()
    const file = form.get('file') as File
    expect([form.get('model'), form.get('response_format'), file.name, file.type]).toEqual([
      'hear-1',
      'json',
      'recording.wav',
      'audio/wav',
    ])
    expect(await file.text()).toBe('RIFF of some sound')
  })

  it.each([
    ['{"text":"Hm"}', { text: 'Hm', tokens: undefined }],
    ['{"text":"","usage":{"type":"duration","seconds":3}}', { text: '', tokens: undefined }],
  ])('takes %s', async (body, expected) => {
    answer = { status: 200, body }
    expect(await model.transcribe(recording)).toEqual(expected)
  })

  it.each([
    [401, '{"error":{"code":"invalid_api_key","message":"secret"}}', 'rejected', true],
    [400, '{"error":{"message":"secret"}}', 'rejected', false],
    [429, '', 'unavailable', false],
    [500, 'secret', 'unavailable', false],
    [200, '<p>secret', 'unavailable', false],
    [200, '{"result":"secret"}', 'unavailable', false],
  ])('fails with %d %s', async (status, body, failure, needsOperator) => {
    answer = { status, body }
    const error = await model.transcribe(recording).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ModelError', failure, needsOperator })
    expect((error as Error).message).not.toContain('secret')
  })

  it('takes no recording that is too large, too short or broken, and destroys it', async () => {
    const asked = server.started.length
    const large = { ...recording, size: model.largest + 1, open: () => Promise.reject(new Error('opened')) }
    await expect(model.transcribe(large)).rejects.toMatchObject({ failure: 'rejected' })
    expect(server.started.length).toBe(asked)
    const short = recordingOf(Buffer.from('RIFF'), { size: 99 })
    await expect(model.transcribe(short)).rejects.toMatchObject({ failure: 'unavailable' })
    const stream = new Readable({ read: () => stream.destroy(new Error('the disk broke')) })
    const broken = { ...recording, open: () => Promise.resolve(stream) }
    await expect(model.transcribe(broken)).rejects.toMatchObject({ failure: 'unavailable' })
    expect(stream.destroyed).toBe(true)
  })

  it('is given up when it takes too long, or its caller leaves', async () => {
    answer = 'silence'
    await expect(model.transcribe(recording)).rejects.toMatchObject({ failure: 'unavailable' })
    const left = new Error('the client left')
    await expect(model.transcribe(recording, AbortSignal.abort(left))).rejects.toBe(left)
  })
})
