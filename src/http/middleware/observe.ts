import type { Next } from 'hono'
import { matchedRoutes } from 'hono/route'
import { nanoid } from 'nanoid'
import { step } from '../../observability/steps.ts'
import { createTimings, timedParts, withTimings } from '../../observability/timings.ts'
import type { HttpContext, HttpServices } from '../context.ts'

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/

/**
 * Gives the request its id, its log and its signal; measures it; ends it with one log line. The headers are set on Node's
 * own response: Hono's built-in middleware would cost more than the rest of a small request.
 */
export function observe(services: HttpServices) {
  return async function observeRequest(c: HttpContext, next: Next): Promise<void> {
    const { incoming, outgoing } = c.env
    const start = performance.now()
    const { socket } = incoming
    const [readBefore, writtenBefore] = [socket.bytesRead, socket.bytesWritten]
    const given = incoming.headers['x-request-id']
    const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : nanoid()
    const timings = createTimings()
    const gone = new AbortController()
    c.set('services', services)
    c.set('requestId', requestId)
    c.set('signal', gone.signal)
    const log = services.log.child({ requestId })
    c.set('log', log)
    outgoing.setHeader('X-Request-Id', requestId)

    outgoing.once('close', () => {
      if (!outgoing.writableFinished) gone.abort(new Error('The client is gone.'))
      const total = performance.now() - start
      const route = matchedRoutes(c).findLast(({ path }) => !path.endsWith('*'))?.path ?? 'none'
      const status = outgoing.writableFinished ? outgoing.statusCode : 499
      services.metrics.requests.observe({ method: c.req.method, route, status }, total / 1000)
      log.info(
        {
          method: c.req.method,
          route,
          status,
          ms: round(total),
          ...Object.fromEntries(
            timedParts.flatMap((part) => (timings[part] > 0 ? [[`${part}Ms`, round(timings[part])]] : [])),
          ),
          bytesIn: Number(incoming.headers['content-length'] ?? socket.bytesRead - readBefore),
          bytesOut: socket.bytesWritten - writtenBefore,
          ...c.get('upstream'),
          ...c.get('ids'),
          userId: c.get('userId'),
          error: c.get('errorCode'),
        },
        'request',
      )
    })

    await withTimings(timings, next)
    step('answering')
    if (!outgoing.headersSent) outgoing.setHeader('Server-Timing', serverTiming(timings, performance.now() - start))
  }
}

function serverTiming(timings: ReturnType<typeof createTimings>, total: number): string {
  const parts = timedParts.filter((part) => timings[part] > 0).map((part) => `${part};dur=${round(timings[part])}`)
  return [`total;dur=${round(total)}`, ...parts].join(', ')
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}
