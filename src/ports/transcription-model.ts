import type { Readable } from 'node:stream'

export interface Recording {
  /** Canonical extension of the detected type, without a dot. */
  readonly ext: string
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
  open(signal?: AbortSignal): Promise<Readable>
}

export interface Transcript {
  /** Empty: nothing is said. */
  readonly text: string
  /** As the provider counted them; undefined if it does not say. */
  readonly tokens: { readonly input: number; readonly output: number } | undefined
}

/** Writes down what is said in a recording. Failures are `ModelError`s; an aborted `signal` rejects with its reason. No adapter retries by itself. */
export interface TranscriptionModel {
  /** For people: which model it is. */
  readonly model: string
  /** Bytes; larger recordings are refused without being read. */
  readonly largest: number
  /** Streams the recording: it is never held whole. */
  transcribe(recording: Recording, signal?: AbortSignal): Promise<Transcript>
  /** Releases its sockets. Idempotent; no other call may follow. */
  close(): Promise<void>
}
