import type { Random } from './random.ts'
import { bodyOf, type Draft } from './requests.ts'

export interface Wire {
  readonly bytes: Buffer
  /**
   * - `sound`: one whole request; the connection may serve another.
   * - `bent`: HTTP itself is broken, or may be read as such: Node may answer by itself, or close.
   */
  readonly framing: 'sound' | 'bent'
}

/** The bytes of a request, one in eight with faults in its framing. */
export function wireOf(draft: Draft, random: Random): Wire {
  const body = bodyOf(draft)
  const isBent = random.isOne(8)
  const length: [string, string] = ['Content-Length', String(body.length)]
  if (isBent) return bent(draft, body, random)
  if (body.length > 0 && random.isOne(4)) {
    const head = headOf(draft, [['Transfer-Encoding', 'chunked']])
    return { bytes: Buffer.concat([head, ...chunks(body, random)]), framing: framingOf(draft) }
  }
  const needsLength = body.length > 0 || draft.method !== 'GET'
  return { bytes: Buffer.concat([headOf(draft, needsLength ? [length] : []), body]), framing: framingOf(draft) }
}

/** Some headers are a matter between the client and Node. */
function framingOf({ headers }: Draft): Wire['framing'] {
  const names = headers.map(([name]) => name)
  return names.includes('Upgrade') || names.filter((name) => name === 'Host').length > 1 ? 'bent' : 'sound'
}

function headOf(draft: Draft, more: readonly [string, string][], version = 'HTTP/1.1', newline = '\r\n'): Buffer {
  const query = draft.query.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')
  const target = `/${draft.segments.join('/')}${query && `?${query}`}`
  const lines = [...draft.headers, ...more].map(([name, value]) => `${name}: ${value}${newline}`)
  return Buffer.from(`${draft.method} ${target} ${version}${newline}${lines.join('')}${newline}`, 'latin1')
}

const escaped = (text: string) => encodeURIComponent(text.toWellFormed())

function chunks(body: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const size = Math.min(1 + random.below(random.isOne(2) ? 20_000 : 700), body.length - at)
    const extension = random.isOne(10) ? ';name="a b"' : ''
    pieces.push(Buffer.from(`${size.toString(16)}${extension}\r\n`), body.subarray(at, at + size), Buffer.from('\r\n'))
    at += size
  }
  return [...pieces, Buffer.from(random.isOne(10) ? '0\r\nX-Trailer: a\r\n\r\n' : '0\r\n\r\n')]
}

function bent(draft: Draft, body: Buffer, random: Random): Wire {
  const length = String(body.length)
  const whole = Buffer.concat(chunks(body, random))
  const tricks: (() => Buffer)[] = [
    () => Buffer.concat([headOf(draft, [['Content-Length', String(body.length + 1 + random.below(500))]]), body]),
    () => Buffer.concat([headOf(draft, [['Content-Length', String(random.below(body.length + 1))]]), body]),
    () =>
      Buffer.concat([
        headOf(draft, [['Content-Length', random.of(['-1', '1e3', '0x10', ' 5 5', '9'.repeat(25), 'a', ''])]]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ['Content-Length', String(body.length + 1)],
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ['Transfer-Encoding', 'chunked'],
        ]),
        whole,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          [
            'Transfer-Encoding',
            random.of([
              'gzip, chunked',
              'chunked, chunked',
              'identity',
              'xchunked',
              'chunked, gzip',
              ' chunked',
              '\tchunked',
            ]),
          ],
        ]),
        whole,
      ]),
    () => Buffer.concat([headOf(draft, [['Transfer-Encoding ', 'chunked']]), whole]),
    () =>
      Buffer.concat([
        headOf(draft, [['Transfer-Encoding', 'chunked']]),
        Buffer.from(
          random.of([
            'zz\r\n',
            '-5\r\n',
            '5\n',
            'ffffffffffffffffff\r\n',
            '5\r\nabc',
            '0\r\n',
            '1;' + 'x'.repeat(20_000),
          ]),
        ),
        body,
      ]),
    () =>
      Buffer.concat([headOf(draft, [['Transfer-Encoding', 'chunked']]), whole.subarray(0, random.below(whole.length))]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ['X-Huge', 'x'.repeat(random.of([8_000, 17_000, 70_000]))],
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ...Array.from({ length: 2_100 }, (): [string, string] => ['a', '']),
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          [random.of(['a b', 'a\0', '', 'a\r', '\x80']), 'c'],
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ['X', random.of(['a\0b', 'a\rb', 'a\nb', '\x7f', 'a\r\n folded'])],
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(
          draft,
          [['Content-Length', length]],
          random.of(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/9.9', 'http/1.1', '']),
        ),
        body,
      ]),
    () => Buffer.concat([headOf(draft, [['Content-Length', length]], 'HTTP/1.1', '\n'), body]),
    () =>
      Buffer.concat([
        headOf({ ...draft, headers: draft.headers.filter(([name]) => name !== 'Host') }, [['Content-Length', length]]),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(
          {
            ...draft,
            headers: [
              ['Host', random.of(['', 'a b', '[::1', 'a/b', 'a@b', 'x'.repeat(300), '\xff', ':1', '..'])],
              ...draft.headers.slice(1),
            ],
          },
          [['Content-Length', length]],
        ),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(
          {
            ...draft,
            method: random.of(['get', 'TRACE', 'CONNECT', 'PROPFIND', 'OPTIONS', 'HEAD', 'PUT', 'X'.repeat(50), 'PRI']),
          },
          [['Content-Length', length]],
        ),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(
          {
            ...draft,
            segments: [
              random.of([
                '/evil.example/a',
                '\\evil',
                'a b',
                '\x00',
                '\xff',
                '..',
                '?',
                '#',
                '*',
                ';',
                'x'.repeat(15_000),
              ]),
              ...draft.segments,
            ],
          },
          [['Content-Length', length]],
        ),
        body,
      ]),
    () =>
      Buffer.concat([
        headOf(draft, [
          ['Content-Length', length],
          ['Expect', random.of(['100-continue', 'a', '200-ok'])],
        ]),
        body,
      ]),
    () =>
      Buffer.concat([
        Buffer.from(random.of(['\r\n\r\n', '\0', '\x16\x03\x01\x02\x00\x01', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'])),
        headOf(draft, [['Content-Length', length]]),
        body,
      ]),
    () => random.bytes(random.below(300)),
  ]
  return { bytes: random.of(tricks)(), framing: 'bent' }
}
