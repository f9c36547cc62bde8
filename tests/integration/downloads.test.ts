import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway } from '../helpers/gateway.ts'

let user: TestUser
let url: string
const etag = `"${createHash('sha256').update(tone).digest('hex')}"`

beforeAll(async () => {
  user = await createUser((await sharedGateway()).url)
  const { body } = await user.addResource({ name: 'tone.wav', bytes: tone, type: 'audio/wav' })
  url = `${user.base}/resources/${body.resource_id}/content`
})

async function download(headers: Record<string, string> = {}, of = url) {
  const response = await fetch(of, { headers: { authorization: `Bearer ${user.key}`, ...headers } })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

describe('a download', () => {
  it('is the original, which no browser shows or runs', async () => {
    const { status, headers, bytes } = await download()
    expect(status).toBe(200)
    expect(bytes).toEqual(Buffer.from(tone))
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'audio/wav',
      'content-length': String(tone.length),
      'content-disposition': expect.stringMatching(/^attachment;/),
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-store',
      etag,
    })
  })

  const last = tone.length - 1
  const ranges: [string, number, number][] = [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    ['bytes=100-', 100, last],
    ['bytes=-7', tone.length - 7, last],
    [`bytes=-${tone.length * 2}`, 0, last],
    [`bytes=${last}-${last + 1000}`, last, last],
  ]

  it.each(ranges)('of %s is those bytes', async (range, start, end) => {
    const { status, headers, bytes } = await download({ range })
    expect(status).toBe(206)
    expect(headers.get('content-range')).toBe(`bytes ${start}-${end}/${tone.length}`)
    expect(headers.get('content-length')).toBe(String(end - start + 1))
    expect(bytes).toEqual(Buffer.from(tone.subarray(start, end + 1)))
  })

  it.each([`bytes=${tone.length}-`, 'bytes=-0', 'bytes=99999999999999999999-'])('of %s is no range', async (range) => {
    const { status, headers, bytes } = await download({ range })
    expect(status).toBe(416)
    expect(headers.get('content-range')).toBe(`bytes */${tone.length}`)
    expect(bytes).toHaveLength(0)
  })

  it.each(['bytes=5-2', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=0-1,5-6', ''])(
    'of the unreadable range "%s" is the whole file',
    async (range) => {
      const { status, bytes } = await download({ range })
      expect(status).toBe(200)
      expect(bytes).toHaveLength(tone.length)
    },
  )

  it.each([etag, `W/${etag}`, `"other", ${etag}`, '*'])('with If-None-Match: %s is not sent again', async (tag) => {
    const { status, headers, bytes } = await download({ 'if-none-match': tag })
    expect(status).toBe(304)
    expect(headers.get('etag')).toBe(etag)
    expect(bytes).toHaveLength(0)
  })

  it('is sent again where the file is another', async () => {
    expect((await download({ 'if-none-match': '"other"' })).status).toBe(200)
    expect((await download({ range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200)
    expect((await download({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206)
  })

  const refused = ['archive.zip', 'program.exe', 'random.bin', 'video.mp4', 'video.webm']
  const active = ['text/html', 'image/svg+xml', 'message/rfc822']

  it.each(readdirSync('fixtures/files').filter((name) => !refused.includes(name)))(
    'of %s is shown and run by no browser',
    async (name) => {
      const owner = await createUser(user.base)
      const { body } = await owner.addResource({ name, bytes: readFileSync(`fixtures/files/${name}`) })
      const { mime_type: type } = (await owner.get(`/resources/${body.resource_id}`)).body
      for (const more of [{}, { range: 'bytes=0-0' }, { range: 'bytes=999999999-' }, { 'if-none-match': '*' }]) {
        const given = { ...more, authorization: `Bearer ${owner.key}` }
        const { headers } = await download(given, `${user.base}/resources/${body.resource_id}/content`)
        expect(Object.fromEntries(headers)).toMatchObject({
          'content-type': active.includes(type) ? 'application/octet-stream' : type,
          'content-disposition': expect.stringMatching(/^attachment;/),
          'content-security-policy': "default-src 'none'; sandbox",
          'cross-origin-resource-policy': 'same-origin',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cache-control': 'private, no-store',
        })
      }
    },
  )

  it('of an empty file is empty, whole or in part', async () => {
    const { body } = await user.addResource({ name: 'empty.txt', bytes: Buffer.alloc(0) })
    const path = `${user.base}/resources/${body.resource_id}/content`
    const whole = await download({}, path)
    expect([whole.status, whole.bytes.length, whole.headers.get('content-length')]).toEqual([200, 0, '0'])
    expect((await download({ range: 'bytes=0-' }, path)).status).toBe(416)
  })

  it('is the same by the attachment, of which HEAD shows no bytes', async () => {
    const { body } = await user.get('/resources')
    const item = body.resources.find(({ filename }: { filename: string }) => filename === 'tone.wav')
    const { bytes } = await download({}, `${user.base}/attachments/${item.attachment_id}/content`)
    expect(bytes).toEqual(Buffer.from(tone))
    const head = await fetch(url, { method: 'HEAD', headers: { authorization: `Bearer ${user.key}` } })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(tone.length)])
  })
})
