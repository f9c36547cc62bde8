import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'

/**
 * What happens to a call instead of an answer.
 * - `{ status, code }`: refused so, in EverOS's envelope; nothing is done.
 * - `reset`: the connection breaks before anything is done.
 * - `lost`: the call is carried out, then the connection breaks.
 * - `hold`: the server works on the call for as long as it holds a session, carries it out, and answers whoever is left.
 * - `stall`: nothing is done, and no answer comes until the client leaves.
 * - `half-open`: as `stall`, and the body is not even read.
 * - `html`: a proxy's page with status 200; nothing is done.
 * - `endless`: the beginning of an answer and then 5 GB of it; nothing is done.
 * - `drip`: an answer that comes byte by byte and never ends; nothing is done.
 * - `gzip`: an answer packed three times that unpacks to 100 MB; nothing is done.
 * - `redirect`: to another address; nothing is done.
 * - `dropped`: the models fail once the buffer is emptied: a 500, and what was to become a memory is nowhere.
 * - `dropped-and-lost`: the same, and the connection breaks.
 * - `nothing`: for a flush: it finds nothing to extract, and does nothing.
 */
export type EverosFault =
  | { readonly status: number; readonly code: string }
  | WireFault
  | 'lost'
  | 'hold'
  | 'dropped'
  | 'dropped-and-lost'
  | 'nothing'
const wireFaults = ['reset', 'stall', 'half-open', 'html', 'endless', 'drip', 'gzip', 'redirect'] as const
export type WireFault = (typeof wireFaults)[number]

const ENDLESS_BYTES = 5e9
const DRIP_MS = 20

export function isWireFault(fault: EverosFault | undefined): fault is WireFault {
  return wireFaults.some((name) => name === fault)
}

export function misbehave(
  fault: WireFault,
  request: IncomingMessage,
  response: ServerResponse,
  elsewhere: string,
): void {
  const json = { 'content-type': 'application/json' }
  switch (fault) {
    case 'stall':
    case 'half-open':
      return
    case 'reset':
      return void request.socket.resetAndDestroy()
    case 'html':
      return void response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!doctype html><title>Welcome to nginx</title>')
    case 'redirect':
      return void response.writeHead(307, { location: elsewhere + request.url }).end()
    case 'gzip':
      return void response.writeHead(200, { ...json, 'content-encoding': 'gzip, gzip, gzip' }).end(bomb())
    case 'endless':
      return pour(response.writeHead(200, json))
    case 'drip':
      return drip(response.writeHead(200, json))
  }
}

let packed: Buffer | undefined
function bomb(): Buffer {
  packed ??= gzipSync(gzipSync(gzipSync(Buffer.alloc(100_000_000, ' '))))
  return packed
}

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(256 * 1024, ' ')
  let left = ENDLESS_BYTES
  response.on('error', () => {})
  response.write('{"request_id":"1","data":{"episodes":[')
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= piece.length
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
}

function drip(response: ServerResponse): void {
  response.on('error', () => {})
  const timer = setInterval(() => response.write(' '), DRIP_MS)
  response.on('close', () => clearInterval(timer))
}
