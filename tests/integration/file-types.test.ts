import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser } from '../helpers/client.ts'
import { sharedGateway } from '../helpers/gateway.ts'

let user: TestUser

beforeAll(async () => {
  user = await createUser((await sharedGateway()).url)
})

const fixture = (name: string) => ({ name, bytes: readFileSync(`fixtures/files/${name}`) })
const office = 'application/vnd.openxmlformats-officedocument'

/** File, content type, MIME type, and a query that its content answers. */
const supported: [string, string, string, string?][] = [
  ['picture.png', 'image', 'image/png', 'blue circle'],
  ['picture.jpg', 'image', 'image/jpeg', 'blue circle'],
  ['picture.webp', 'image', 'image/webp', 'blue circle'],
  ['picture.gif', 'image', 'image/gif', 'blue circle'],
  ['picture.tiff', 'image', 'image/tiff', 'blue circle'],
  ['picture.avif', 'image', 'image/avif'],
  ['picture.heic', 'image', 'image/heic'],
  ['picture.svg', 'image', 'image/svg+xml'],
  ['picture-declared.svg', 'image', 'image/svg+xml'],
  ['tone.wav', 'audio', 'audio/wav'],
  ['tone.mp3', 'audio', 'audio/mpeg'],
  ['tone.m4a', 'audio', 'audio/mp4'],
  ['tone.mp4', 'audio', 'audio/mp4'],
  ['tone.ogg', 'audio', 'audio/ogg'],
  ['tone.opus', 'audio', 'audio/ogg'],
  ['tone.flac', 'audio', 'audio/flac'],
  ['tone.aac', 'audio', 'audio/aac'],
  ['tone.webm', 'audio', 'audio/webm'],
  ['document.pdf', 'pdf', 'application/pdf', 'red square'],
  ['document-cjk.pdf', 'pdf', 'application/pdf', '图片'],
  ['document.docx', 'doc', `${office}.wordprocessingml.document`, 'square'],
  ['slides.pptx', 'doc', `${office}.presentationml.presentation`, 'circle'],
  ['sheet.xlsx', 'doc', `${office}.spreadsheetml.sheet`, 'colour'],
  ['document.rtf', 'doc', 'application/rtf', 'green bar'],
  ['page.html', 'html', 'text/html', 'circle'],
  ['message.eml', 'email', 'message/rfc822', '图片里没有文字'],
  ['note.txt', 'doc', 'text/plain', 'square'],
  ['note-gb18030.txt', 'doc', 'text/plain', '绿色横条'],
  ['note.md', 'doc', 'text/markdown', 'square'],
  ['table.csv', 'doc', 'text/csv', 'square'],
  ['data.json', 'doc', 'application/json', 'square'],
  ['empty.txt', 'doc', 'text/plain'],
]

/** Taken for what they are, whatever their names say. */
const misnamed: [string, string, string][] = [
  ['png-named.wav', 'image', 'image/png'],
  ['html-named.png', 'html', 'text/html'],
  ['png-with-script.png', 'image', 'image/png'],
]

describe('a resource', () => {
  it.each([...supported, ...misnamed])('%s is taken as %s (%s)', async (name, kind, mimeType, query?: string) => {
    const owner = query === undefined ? user : await createUser(user.base)
    const added = await owner.addResource({ ...fixture(name), type: 'application/x-unknown' })
    expect(added.status, JSON.stringify(added.body)).toBe(201)
    const { body } = await owner.get(`/resources/${added.body.resource_id}`)
    expect(body).toMatchObject({ filename: name, content_type: kind, mime_type: mimeType, status: 'extracted' })
    if (query === undefined) return
    const found = await owner.post('/memories/search', { query, scope: ['resources'] })
    expect(found.body.results.map(({ resource_id }: { resource_id: string }) => resource_id)).toContain(
      added.body.resource_id,
    )
  })

  it.each(['video.mp4', 'video.webm', 'archive.zip', 'program.exe', 'random.bin'])('%s is refused', async (name) => {
    const answer = await user.addResource({ ...fixture(name), type: 'image/png' })
    expect(answer).toMatchObject({
      status: 415,
      body: { error: { code: 'unsupported_media_type', details: { upload_id: 'file' } } },
    })
  })

  it('png-truncated.png, whose end is missing, is kept byte for byte', async () => {
    const added = await user.addResource(fixture('png-truncated.png'))
    expect(added.status).toBe(201)
    const url = `${user.base}/resources/${added.body.resource_id}/content`
    const response = await fetch(url, { headers: { authorization: `Bearer ${user.key}` } })
    expect(Buffer.from(await response.arrayBuffer())).toEqual(fixture('png-truncated.png').bytes)
  })

  it.each([
    ['picture.png', 'audio'],
    ['tone.wav', 'image'],
    ['document.pdf', 'image'],
    ['document.docx', 'pdf'],
    ['note.txt', 'html'],
    ['page.html', 'email'],
    ['html-named.png', 'image'],
    ['png-named.wav', 'audio'],
  ])('%s is refused where a message declares it as %s', async (name, kind) => {
    const answer = await user.addMessage('chat:1', 'Look.', [{ field: 'f', kind, ...fixture(name) }])
    expect(answer).toMatchObject({ status: 415, body: { error: { details: { upload_id: 'f', declared_type: kind } } } })
  })

  it.each(['document.pdf', 'page.html', 'message.eml'])('%s may be declared as a document', async (name) => {
    const answer = await user.addMessage('chat:1', 'Read.', [{ field: 'f', kind: 'doc', ...fixture(name) }])
    expect(answer.status).toBe(200)
  })
})
