import type { ChatPart, ChatTurn } from '../../../domain/threads/chat-turn.ts'
import type { Answer } from '../chat-format.ts'
import { assistantTurn, textPart, toolCall } from './parts.ts'

/** Characters of text and arguments that are kept of one answer. */
export const MAX_TEXT = 4 * 1024 * 1024
/** Characters of base64 that are kept of one answer. */
export const MAX_FILES = 16 * 1024 * 1024

type Slot = { text: string } | { readonly file: ChatPart }

interface CallDraft {
  id: unknown
  name: unknown
  /** What counts if no pieces of arguments come. */
  whole: string
  pieces: string
}

/** Collects what a model says piece by piece. Slots keep the order in which they were first named; memory is bounded. */
export class AnswerDraft {
  finishReason: string | undefined
  /** The provider said that it failed. */
  hasFailed = false
  isTruncated = false
  #textLeft = MAX_TEXT
  #filesLeft = MAX_FILES
  readonly #slots = new Map<string, Slot>()
  readonly #calls = new Map<string, CallDraft>()

  text(slot: string, piece: unknown): void {
    if (typeof piece !== 'string' || piece === '') return
    const taken = this.#take(piece)
    const known = this.#slots.get(slot)
    if (known && 'text' in known) known.text += taken
    else this.#slots.set(slot, { text: taken })
  }

  parts(slot: string, parts: readonly ChatPart[]): void {
    for (const [index, part] of parts.entries()) {
      if (part.type === 'text') this.text(`${slot}:${index}`, part.text)
      else this.#file(`${slot}:${index}`, part)
    }
  }

  /** Names a call, or names it again. `whole`: its arguments, if they come at once. */
  call(slot: string, id: unknown, name: unknown, whole = ''): void {
    const call = this.#calls.get(slot)
    if (!call) this.#calls.set(slot, { id, name, whole: this.#take(whole), pieces: '' })
    else {
      if (id) call.id = id
      if (name) call.name = name
    }
  }

  callId(slot: string): unknown {
    return this.#calls.get(slot)?.id
  }

  /** A piece of the arguments of a call that has been named. */
  callArguments(slot: string, piece: unknown): void {
    const call = this.#calls.get(slot)
    if (call && typeof piece === 'string') call.pieces += this.#take(piece)
  }

  turn(turn: ChatTurn): void {
    this.parts('turn', turn.parts)
    for (const [index, call] of (turn.toolCalls ?? []).entries()) {
      this.call(`turn:${index}`, call.id, call.name, call.arguments)
    }
  }

  fail(): void {
    this.hasFailed = true
    this.finishReason ??= 'error'
  }

  /** `hasEnded`: the API's own sign of the end has come. */
  answer(hasEnded: boolean): Answer {
    const parts = [...this.#slots.values()].flatMap((slot) => ('file' in slot ? [slot.file] : textPart(slot.text)))
    const calls = [...this.#calls.values()].flatMap(({ id, name, whole, pieces }) =>
      toolCall(id, name, pieces || whole),
    )
    return {
      turn: assistantTurn(parts, calls)[0],
      finishReason: this.finishReason,
      isComplete: !this.hasFailed && (hasEnded || this.finishReason !== undefined),
      isTruncated: this.isTruncated,
    }
  }

  #file(slot: string, part: ChatPart): void {
    const size = part.type === 'file' ? part.base64.length : 0
    if (size > this.#filesLeft) {
      this.isTruncated = true
      return
    }
    this.#filesLeft -= size
    this.#slots.set(slot, { file: part })
  }

  #take(piece: string): string {
    const taken = piece.slice(0, this.#textLeft)
    this.#textLeft -= taken.length
    if (taken.length < piece.length) this.isTruncated = true
    return taken
  }
}
