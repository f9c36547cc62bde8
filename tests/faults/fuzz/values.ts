import type { Random } from './random.ts'

/** Texts that something between a socket and a database may take for more than text. */
export const nastyTexts = [
  '',
  ' ',
  '.',
  '..',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'user_key',
  'messages',
  'file',
  'default',
  '../../../etc/passwd',
  '..\\..\\windows',
  '%2e%2e%2f',
  '%00',
  'a\0b',
  'a\r\nSet-Cookie: a=b',
  '%0d%0aSet-Cookie: a=b',
  '\ud800',
  'a\udfff',
  '\u202egpj.exe',
  '\ufeff',
  '\u2028',
  'é'.normalize('NFD'),
  '长'.repeat(100),
  '🦫',
  '"',
  'a"; filename="b',
  "'; drop table users; --",
  '{{7*7}}',
  '${jndi:ldap://x}',
  '<script>alert(1)</script>',
  'resource:x',
  'memory:x',
  'x'.repeat(129),
  'x'.repeat(300),
  'x'.repeat(5000),
  'null',
  'true',
  '-1',
  '1e400',
  '9007199254740993',
  'uk_wrong',
  'chat:fuzz',
]

/** JSON texts, some of which no JSON.stringify would write. */
export const nastyJson = [
  'null',
  'true',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e400',
  '-1e400',
  '1e-400',
  '9007199254740993',
  '123456789012345678901234567890',
  '99999999999999',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"\\u2028"',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"toString":1,"valueOf":1,"toJSON":1}',
  '{"length":1000000000}',
  '{"a":1,"a":2}',
  '{"then":1}',
  '[{"type":"text","text":"a"}]',
  '[{"type":"doc","upload_id":"a"},{"type":"doc","upload_id":"a"}]',
  '[{"type":"doc","uri":"file:///etc/passwd"}]',
  '[{"type":"image","base64":"AAAA"}]',
  '[{"type":"doc","base64":"aGVsbG8=","name":"a.txt"}]',
  '["current_chat"]',
  '"2026-01-01T00:00:00Z"',
  '"+275760-09-13T00:00:00.000Z"',
  `${'['.repeat(200)}${']'.repeat(200)}`,
  `${'{"a":'.repeat(17)}0${'}'.repeat(17)}`,
  `${'['.repeat(15_000)}${']'.repeat(15_000)}`,
  `[${'0,'.repeat(25_000)}0]`,
  `"${'a'.repeat(100_000)}"`,
  'NaN',
  'Infinity',
  'undefined',
  "'a'",
  '01',
  '0x10',
  '[1,]',
  '{a:1}',
  '"a\nb"',
  '"\\x41"',
  '"\\u12"',
  '// a',
]

export function anyText(random: Random): string {
  if (!random.isOne(4)) return random.of(nastyTexts)
  return Array.from({ length: random.below(40) }, () => String.fromCharCode(random.below(0x10000))).join('')
}

/** A text as the bytes that a careless client would send of it. */
export function careless(text: string, random: Random): Buffer {
  return Buffer.from(text, random.isOne(3) ? 'latin1' : 'utf8')
}

/** The bytes with one change somewhere: cut, flipped, left out, doubled, put in. */
export function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1)
  const end = at + random.below(60)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (random.below(6)) {
    case 0:
      return before
    case 1:
      return Buffer.concat([before, bytes.subarray(end)])
    case 2:
      return Buffer.concat([before, bytes.subarray(at, end), after])
    case 3:
      return Buffer.concat([before, random.bytes(1 + random.below(12)), after])
    case 4:
      return Buffer.concat([
        before,
        Buffer.from(random.of(['\r\n', '\r\n\r\n', '--', '"', '\0', ';', '=', '\\'])),
        after,
      ])
    default: {
      const flipped = Buffer.from(bytes)
      if (at < bytes.length) flipped[at] = random.below(256)
      return flipped
    }
  }
}
