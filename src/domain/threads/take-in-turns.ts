import { setTimeout as sleep } from 'node:timers/promises'
import { type DetectedUpload, detectUpload } from '../attachments/detect-upload.ts'
import type { SpoolSession } from '../attachments/spool.ts'
import { GatewayError } from '../errors.ts'
import { Pacer } from '../pacer.ts'
import type { ResolvedItem, ResolvedMessage } from '../sessions/resolve-content.ts'
import type { ChatPart, ChatTurn } from './chat-turn.ts'
import { decodeBase64, NotBase64 } from './decode-base64.ts'
import { decodedSize } from './media-tokens.ts'
import type { ThreadContext } from './thread-context.ts'
import { comparable, sizeOf, storableText, turnText, turnTokens } from './turn-text.ts'

type FilePart = Extract<ChatPart, { type: 'file' }>

/** So long the files of an exchange wait for a place among the uploads: a model takes longer than that to answer. */
const PLACE_WAIT_MS = 5_000
const PLACE_RETRY_MS = 50
/** Of a file's name, from its end: it fits whatever the limit of names is in bytes. */
const LONGEST_NAME = 50

/**
 * Brings turns to the form in which messages are stored, with their files in the spool. A file that cannot be kept is left out, logged and
 * counted: its placeholder in the text stays. Rejects only for a fault of the gateway.
 */
export async function takeInTurns(
  ctx: ThreadContext,
  turns: readonly ChatTurn[],
  spool: SpoolSession,
): Promise<ResolvedMessage[]> {
  const timestamp = Date.now()
  const hasFiles = turns.some(({ parts }) => parts.some(({ type }) => type === 'file'))
  using places = hasFiles ? await takePlaces(ctx) : undefined
  const files = new FileIntake(ctx, spool, places !== undefined)
  const messages: ResolvedMessage[] = []
  const pacer = new Pacer()
  for (const turn of turns) {
    const message = await takeInTurn(turn, timestamp, files)
    await pacer.take(sizeOf(comparable(turn)))
    messages.push(message)
  }
  return messages
}

async function takeInTurn(turn: ChatTurn, timestamp: number, files: FileIntake): Promise<ResolvedMessage> {
  const text = turnText(turn)
  const items: ResolvedItem[] = [{ type: 'text', text }]
  const numbers = { image: 0, audio: 0, file: 0 }
  for (const part of turn.parts) {
    if (part.type === 'text') continue
    const label = part.kind === 'image' || part.kind === 'audio' ? part.kind : 'file'
    numbers[label]++
    // As in its placeholder, e.g. `[Image #1]`, so that it is found again when another was left out.
    const upload = part.type === 'file' ? await files.take(part, `${label}_${numbers[label]}`) : undefined
    if (upload) items.push({ type: 'file', upload })
  }
  return {
    input: {
      role: turn.role,
      content: text,
      timestamp,
      ...(turn.toolCalls?.length && { tool_calls: turn.toolCalls.map(storedCall) }),
      ...(turn.toolCallId !== undefined && { tool_call_id: storableText(turn.toolCallId) }),
    },
    items,
    tokens: await turnTokens(turn),
  }
}

function storedCall({ id, name, arguments: given }: NonNullable<ChatTurn['toolCalls']>[number]) {
  return {
    id: storableText(id),
    type: 'function',
    function: { name: storableText(name), arguments: storableText(given) },
  }
}

/** Undefined if there is none in time. */
async function takePlaces({ services: { uploads }, caller }: ThreadContext): Promise<Disposable | undefined> {
  for (const deadline = Date.now() + PLACE_WAIT_MS; ; ) {
    using places = new DisposableStack()
    try {
      places.use(uploads.enter())
      places.use(uploads.enterAs(caller.userId))
      return places.move()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      if (Date.now() > deadline) return undefined
    }
    await sleep(PLACE_RETRY_MS)
  }
}

/** Why a file was not kept. */
type NotKept = 'busy' | 'too_many' | 'too_large' | 'not_base64' | 'unsupported' | 'damaged' | 'failed'

/** Takes in the files of one exchange. */
class FileIntake {
  readonly #ctx: ThreadContext
  readonly #spool: SpoolSession
  readonly #hasPlace: boolean
  #count = 0

  constructor(ctx: ThreadContext, spool: SpoolSession, hasPlace: boolean) {
    this.#ctx = ctx
    this.#spool = spool
    this.#hasPlace = hasPlace
  }

  /** Undefined if it is not kept. */
  async take(part: FilePart, uploadId: string): Promise<DetectedUpload | undefined> {
    const { limits } = this.#ctx.services
    if (!this.#hasPlace) return this.#leaveOut('busy')
    if (++this.#count > limits.files) return this.#leaveOut('too_many')
    if (decodedSize(part.base64) > limits.fileBytes) return this.#leaveOut('too_large')
    try {
      const file = await this.#spool.take(decodeBase64(part.base64))
      const given = part.name === undefined ? undefined : storableText(part.name).split(/[\\/]/).at(-1)
      const fileName = given?.slice(-LONGEST_NAME).toWellFormed()
      const upload = await detectUpload({ uploadId, fileName, file }, undefined, limits)
      return fileName ? upload : { ...upload, name: `${uploadId}.${upload.type.ext}` }
    } catch (error) {
      return this.#leaveOut(reasonOf(error), error)
    }
  }

  #leaveOut(reason: NotKept, error?: unknown): undefined {
    const { services, log } = this.#ctx
    services.events.chatFileNotKept(reason)
    log.info({ reason, ...(reason === 'failed' && { err: error }) }, 'a file of a chat is not kept')
  }
}

function reasonOf(error: unknown): NotKept {
  if (error instanceof NotBase64) return 'not_base64'
  if (!(error instanceof GatewayError)) return 'failed'
  if (error.code === 'unsupported_media_type') return 'unsupported'
  return error.code === 'invalid_request' ? 'damaged' : 'failed'
}
