import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { ModelError } from '../../ports/model-provider.ts'
import type { Recording, Transcript, TranscriptionModel } from '../../ports/transcription-model.ts'
import { type OpenAiModelOptions, type OpenAiRequest, OpenAiServer, parseJson } from './openai-server.ts'

const WHO = 'The transcription model'
/** OpenAI's bound. */
const LARGEST = 25 * 1024 * 1024
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const CONNECTIONS = 8

const transcription = z.object({
  text: z.string(),
  usage: z
    .object({ input_tokens: z.int().min(0), output_tokens: z.int().min(0) })
    .nullish()
    .catch(undefined),
})

/** Any server with OpenAI's `POST /audio/transcriptions`: OpenAI itself, Speaches, LocalAI, vLLM and others. */
export function createTranscriptionModel(options: OpenAiModelOptions): TranscriptionModel {
  const { model } = options
  const server = new OpenAiServer(options, {
    path: '/audio/transcriptions',
    who: WHO,
    connections: CONNECTIONS,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  })
  return {
    model,
    largest: LARGEST,
    async transcribe(recording, signal) {
      if (recording.size > LARGEST) throw new ModelError('rejected', `${WHO} takes no more than ${LARGEST} bytes.`)
      let sound: Readable | undefined
      try {
        const answer = await server.post(async (limited) => {
          sound = await recording.open(limited)
          return requestOf(model, recording, sound)
        }, signal)
        return readTranscript(answer)
      } finally {
        sound?.destroy()
      }
    },
    close: () => server.close(),
  }
}

function requestOf(model: string, recording: Recording, sound: Readable): OpenAiRequest {
  const form = formOf(model, recording)
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${form.boundary}`,
      'content-length': String(form.head.length + recording.size + form.tail.length),
    },
    body: Readable.from(bodyOf(form, sound), { objectMode: false }),
  }
}

interface Form {
  readonly boundary: string
  readonly head: Buffer
  readonly tail: Buffer
}

/** The fields around the recording. Its own name stays here: the server goes by the extension. */
function formOf(model: string, { ext, mimeType }: Recording): Form {
  const boundary = `----recording-${randomBytes(16).toString('hex')}`
  const field = (name: string, value: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const head = [
    field('model', model),
    field('response_format', 'json'),
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="recording.${ext}"\r\n`,
    `content-type: ${mimeType}\r\n\r\n`,
  ].join('')
  return { boundary, head: Buffer.from(head), tail: Buffer.from(`\r\n--${boundary}--\r\n`) }
}

async function* bodyOf({ head, tail }: Form, recording: Readable): AsyncGenerator<Buffer> {
  yield head
  yield* recording as AsyncIterable<Buffer>
  yield tail
}

function readTranscript(answer: string): Transcript {
  const read = transcription.safeParse(parseJson(answer))
  if (!read.success) throw new ModelError('unavailable', `${WHO} gave no usable answer.`)
  const { text, usage } = read.data
  return { text: text.trim(), tokens: usage ? { input: usage.input_tokens, output: usage.output_tokens } : undefined }
}
