import { eq } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { userResources } from '../../src/db/schema/user-resources.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { multipartBody, multipartType } from '../helpers/multipart.ts'
import { rawRequest } from '../helpers/raw-request.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

let gateway: TestGateway
let user: TestUser

beforeAll(async () => {
  gateway = await sharedGateway()
  user = await createUser(gateway.url)
})

const note = (text: string, name = 'note.txt') => ({ name, bytes: Buffer.from(text), type: 'text/plain' })

function search(query: string, by = user) {
  return by.post('/memories/search', { query, scope: ['resources'] })
}

describe('POST /resources', () => {
  it('keeps a file and has it extracted', async () => {
    const { status, body } = await user.addResource(note('The ferry leaves at dawn.'), { title: 'Ferry' })
    expect(status).toBe(201)
    expect(body).toEqual({
      resource_id: expect.stringMatching(/^r_[0-9a-f]{32}$/),
      session_id: `resource:${user.id}:${body.resource_id}`,
      uri: `resource://${user.id}/${body.resource_id}`,
      status: 'extracted',
    })
    const { body: found } = await search('ferry at dawn')
    expect(found.results[0]).toMatchObject({
      source_scope: 'resources',
      session_id: body.session_id,
      resource_id: body.resource_id,
      resource_uri: body.uri,
      attachments: [{ type: 'doc', name: 'note.txt', mime_type: 'text/plain' }],
    })
  })

  it.each(['respond-async', 'wait=5, Respond-Async', 'respond-async; x=1'])(
    'answers before the extraction with Prefer: %s',
    async (prefer) => {
      const file = { field: 'file', ...note('The lighthouse keeper sings.') }
      const { status, body } = await user.upload('/resources', {}, [file], { headers: { prefer } })
      expect(status).toBe(202)
      expect(body.status).toBe('processing')
      const done = await until(
        () => user.get(`/resources/${body.resource_id}`),
        (answer) => answer.body.status === 'extracted',
      )
      expect(done.body.error).toBeNull()
    },
  )

  it('finds a resource by its title and description', async () => {
    const { body } = await user.addResource(note('x', 'a.txt'), { title: 'Quokka', description: 'A marsupial.' })
    const byTitle = await search('quokka')
    expect(byTitle.body.results[0].resource_id).toBe(body.resource_id)
  })

  it.each([
    ['no file', {}, []],
    ['two files', {}, ['file', 'file']],
    ['a file in another field', {}, ['document']],
    ['an unknown field', { colour: 'red' }, ['file']],
    ['NUL in the title', { title: 'a\0' }, ['file']],
    ['a title of 501 characters', { title: 'a'.repeat(501) }, ['file']],
    ['an app_id with a slash', { app_id: 'a/b' }, ['file']],
  ])('refuses %s, and stores nothing', async (_what, fields, files) => {
    const other = await createUser(gateway.url)
    const before = objectKeys(gateway)
    const parts = files.map((field) => ({ field, ...note('x') }))
    const answer = await other.upload('/resources', fields as Record<string, string>, parts)
    expect(answer).toMatchObject({ status: 422, body: { error: { code: 'invalid_request' } } })
    expect(await rowsOf(gateway, other)).toEqual(noRows)
    expect(objectKeys(gateway)).toEqual(before)
  })
})

describe('a resource', () => {
  it('is shown with all that is known of it', async () => {
    const file = { name: 'p.png', bytes: picture, type: 'image/png' }
    const { body: added } = await user.addResource(file, { title: 'T', description: 'D', project_id: 'album' })
    const { status, body } = await user.get(`/resources/${added.resource_id}`)
    expect(status).toBe(200)
    expect(body).toEqual({
      resource_id: added.resource_id,
      filename: 'p.png',
      content_type: 'image',
      mime_type: 'image/png',
      size: picture.length,
      uri: added.uri,
      session_id: added.session_id,
      app_id: 'default',
      project_id: 'album',
      status: 'extracted',
      error: null,
      title: 'T',
      description: 'D',
      attachment_id: expect.stringMatching(/^att_/),
      url: `/resources/${added.resource_id}/content`,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
  })

  it('changes its title and description apart', async () => {
    const { body: added } = await user.addResource(note('x'), { title: 'Old', description: 'Kept' })
    const path = `/resources/${added.resource_id}`
    expect((await user.send('PATCH', path, { title: 'New' })).body).toMatchObject({ title: 'New', description: 'Kept' })
    expect((await user.send('PATCH', path, { description: null })).body).toMatchObject({
      title: 'New',
      description: null,
    })
    expect((await user.get(path)).body).toMatchObject({ title: 'New', description: null })
    for (const body of [{}, { title: 5 }, { title: 'a\0' }, { status: 'failed' }, { title: 'a'.repeat(501) }]) {
      expect((await user.send('PATCH', path, body)).status).toBe(422)
    }
  })

  it('is tried again after a failure, and only then', async () => {
    const { body: added } = await user.addResource(note('A retried walrus.'))
    const path = `/resources/${added.resource_id}`
    const refused = await user.post(`${path}/retry`)
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
    const change = { status: 'failed' as const, error: 'BROKEN' }
    await gateway.services.db.update(userResources).set(change).where(eq(userResources.id, added.resource_id))
    expect((await user.get('/resources?status=failed')).body.resources).toMatchObject([{ error: 'BROKEN' }])
    const again = await user.post(`${path}/retry`)
    expect(again).toMatchObject({ status: 202, body: { resource_id: added.resource_id, status: 'processing' } })
    expect((await user.get(path)).body.error).toBeNull()
  })

  it('is gone everywhere once deleted', async () => {
    const { body: added } = await user.addResource(note('The vanishing armadillo.'))
    const { body: shown } = await user.get(`/resources/${added.resource_id}`)
    const stored = objectKeys(gateway)
    const before = await rowsOf(gateway, user)
    expect((await search('armadillo')).body.results).toHaveLength(1)

    expect((await user.delete(`/resources/${added.resource_id}`)).status).toBe(204)
    const session = encodeURIComponent(added.session_id)
    const paths = [
      `/resources/${added.resource_id}`,
      `/resources/${added.resource_id}/content`,
      `/attachments/${shown.attachment_id}/content`,
      `/sessions/${session}/messages`,
    ]
    for (const path of paths) expect((await user.get(path)).status, path).toBe(404)
    expect((await user.post(`/resources/${added.resource_id}/retry`)).status).toBe(404)
    expect((await user.delete(`/resources/${added.resource_id}`)).status).toBe(404)
    expect((await search('armadillo')).body.results).toEqual([])
    expect(objectKeys(gateway)).toHaveLength(stored.length - 1)
    const after = await rowsOf(gateway, user)
    expect(after).toMatchObject({ messages: before.messages - 1, attachments: before.attachments - 1 })
  })

  it('is not deleted as a session', async () => {
    const { body: added } = await user.addResource(note('x'))
    const answer = await user.delete(`/sessions/${encodeURIComponent(added.session_id)}`)
    expect(answer.status).toBe(409)
    expect((await user.get(`/resources/${added.resource_id}`)).status).toBe(200)
  })
})

describe('GET /resources', () => {
  it('pages newest first, without a row twice or missing, also while rows come', async () => {
    const lister = await createUser(gateway.url)
    const added: string[] = []
    for (let index = 0; index < 7; index++) {
      const { body } = await lister.upload('/resources', {}, [{ field: 'file', ...note(`n${index}`) }], {
        headers: { prefer: 'respond-async' },
      })
      added.unshift(body.resource_id)
    }
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const query: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
      const { body } = await lister.get(`/resources?limit=3${query}`)
      expect(body.resources.length).toBeLessThanOrEqual(3)
      seen.push(...body.resources.map(({ resource_id }: { resource_id: string }) => resource_id))
      if (cursor === null) await lister.addResource(note('late'))
      cursor = body.next_cursor
    } while (cursor)
    expect(seen).toEqual(added)
  })

  it('filters by status, type, app and project', async () => {
    const lister = await createUser(gateway.url)
    await lister.addResource({ name: 'p.png', bytes: picture })
    await lister.addResource(note('x'))
    await lister.addResource(note('x'), { app_id: 'mail', project_id: 'inbox' })
    const names = async (query: string) =>
      (await lister.get(`/resources?${query}`)).body.resources.map(({ filename }: { filename: string }) => filename)
    expect(await names('content_type=image')).toEqual(['p.png'])
    expect(await names('content_type=doc')).toEqual(['note.txt'])
    expect(await names('status=failed')).toEqual([])
    expect(await names('status=extracted')).toHaveLength(2)
    expect(await names('app_id=mail&project_id=inbox')).toEqual(['note.txt'])
    expect(await names('app_id=mail')).toEqual([])
  })

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'status=lost',
    'content_type=video',
    'cursor=x',
    'cursor=WzEsMl0',
    'sort=up',
  ])('refuses ?%s', async (query) => {
    expect((await user.get(`/resources?${query}`)).status).toBe(422)
  })
})

describe('the name of a file', () => {
  const names: [string, string, string][] = [
    ['with quotes as browsers send them', 'a %22b%22.txt', 'a "b".txt'],
    ['with quotes as older clients send them', 'a \\"b\\".txt', 'a "b".txt'],
    ['in Chinese', '图片 说明.txt', '图片 说明.txt'],
    ['with an emoji', '🦫.txt', '🦫.txt'],
    ['with a path', '../../etc/passwd.txt', 'passwd.txt'],
    ['with a Windows path', 'C:\\\\temp\\\\a.txt', 'a.txt'],
    ['that turns right to left', 'a\u202etxt.exe.txt', 'atxt.exe.txt'],
    ['in decomposed Unicode', 'cafe\u0301.txt', 'caf\u00e9.txt'],
    ["with RFC 8187's own marks", "it's (1)*.txt", "it's (1)*.txt"],
  ]

  it.each(names)('%s is kept clean, and sent as RFC 6266 has it', async (_what, fileName, expected) => {
    const body = multipartBody([{ name: 'file', fileName, body: 'x' }])
    const headers = { 'content-type': multipartType, authorization: `Bearer ${user.key}` }
    const added = await rawRequest(`${gateway.url}/resources`, { headers, body })
    expect(added?.status).toBe(201)
    const shown = await user.get(`/resources/${added?.body.resource_id}`)
    expect(shown.body.filename).toBe(expected)
    const disposition = (await user.get(shown.body.url)).headers.get('content-disposition') ?? ''
    expect(disposition).toMatch(
      /^attachment; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]*"; filename\*=UTF-8''[\w.~!#$&+^`|%-]+$/,
    )
    expect(decodeURIComponent(disposition.split("UTF-8''")[1] ?? '')).toBe(expected)
  })

  it('with CRLF in it makes no header', async () => {
    const content = [{ type: 'doc', base64: 'eA==', name: 'a\r\nSet-Cookie: x=1\r\n.txt' }]
    const { body } = await user.post('/memories/add', {
      session_id: 'chat:crlf',
      messages: [{ role: 'user', content }],
    })
    const { headers } = await user.get(`/attachments/${body.attachments[0].attachment_id}/content`)
    expect(headers.get('set-cookie')).toBeNull()
    expect(headers.get('content-disposition')).toContain('aSet-Cookie: x=1.txt')
  })
})
