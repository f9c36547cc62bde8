import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { type Answer, call } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { readApiDocument } from '../helpers/openapi-check.ts'
import { makeAccount } from '../helpers/service.ts'

interface Row {
  readonly method: string
  readonly path: string
  readonly state: string
}

/** Rows like: | `GET /v1/memory/{memory_id}` | … | works | */
const rows: readonly Row[] = [
  ...readFileSync('docs/dialects.md', 'utf8').matchAll(/^\| `([A-Z]+) (\/\S+)` \|.*\| ([^|]+) \|$/gm),
].map(([, method = '', path = '', state = '']) => ({ method, path, state }))

/** The same for a path with other names for its parts, and with a slash at its end. */
const shapeOf = (path: string) => path.replace(/:\w+(\{[^/]*\})?|\{\w+\}/g, '{}').replace(/(.)\/$/, '$1')
const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${shapeOf(path)}`

let gateway: TestGateway
let headers: Record<string, string>
/** Of the dialects: routes of one path, and those that take all that is under theirs. */
let routes: readonly { method: string; path: string }[]
let areas: readonly { method: string; path: string }[]

beforeAll(async () => {
  gateway = await sharedGateway()
  const { apiKey } = await makeAccount(gateway, { scopes: ['read', 'write', 'admin'] })
  headers = {
    authorization: `Bearer ${apiKey}`,
    'x-project-id': 'demo',
    'x-end-user-id': 'ada',
    'content-type': 'application/json',
  }
  const native = new Set((await readApiDocument(gateway.url)).routes.map((route) => shapeOf(route)))
  const all = createApp(gateway.services).routes.filter(
    (route) => !native.has(nameOf(route)) && route.path !== '/*' && !/^\/(docs|openapi\.json)/.test(route.path),
  )
  areas = all.filter(({ path }) => path.endsWith('/*'))
  routes = all.filter(({ path }) => !path.endsWith('/*'))
})

/** Whether the row is under one of the paths that are taken as a whole, or is that path itself. */
function isIn(row: Row, area: { method: string; path: string }): boolean {
  const isMethod = area.method === 'ALL' || area.method === row.method
  return isMethod && `${shapeOf(row.path)}/`.startsWith(area.path.slice(0, -1))
}

function ask({ method, path }: Row): Promise<Answer> {
  const url =
    gateway.url +
    path
      .replace('{job_type}', 'pruning')
      .replace(/{file(_id)?}/, 'att_1')
      .replaceAll(/\{\w+\}/g, '1')
  // Enough for every route that answers with a chat model.
  const body = JSON.stringify({ message: 'What is there?', query: 'What is there?', external_user_id: 'ada' })
  return call(url, { method, headers, ...(method !== 'GET' && { body }) })
}

describe('docs/dialects.md', () => {
  it('has a row once, and every row has a state', () => {
    expect(rows.length).toBeGreaterThan(100)
    expect(new Set(rows.map(nameOf)).size).toBe(rows.length)
    for (const row of rows) expect(row.state, nameOf(row)).toMatch(/^(works|not offered: )/)
  })

  it('has a row for every route', () => {
    const documented = new Set(rows.map(nameOf))
    const taken = new Set(areas.map(({ path }) => path.slice(0, -2)))
    const missing = routes
      .filter(({ path }) => !taken.has(path))
      .map(nameOf)
      .filter((name) => !documented.has(name))
    expect(missing).toEqual([])
    const unused = areas.filter((area) => !rows.some((row) => row.path.startsWith(area.path.slice(0, -2))))
    expect(unused).toEqual([])
  })

  it('has a route for every row', () => {
    const served = new Set(routes.map(nameOf))
    const isServed = (row: Row) =>
      served.has(nameOf(row)) || (row.state.startsWith('not offered') && areas.some((area) => isIn(row, area)))
    const dead = rows.filter((row) => !isServed(row))
    expect(dead).toEqual([])
  })

  it('says of each row what a request gets', async () => {
    for (const row of rows) {
      const { status, body } = await ask(row)
      const text = JSON.stringify(body)
      const said = `${nameOf(row)}: ${row.state} → ${status} ${text}`
      if (row.state.startsWith('not offered: 403')) expect(status, said).toBe(403)
      else if (row.state.startsWith('not offered')) expect(status, said).toBe(501)
      else if (row.state.startsWith('works with a chat model')) {
        expect(status, said).toBe(503)
        expect(text).toContain('CHAT_MODEL')
      } else {
        expect([500, 501, 503], said).not.toContain(status)
        expect(text).not.toMatch(/no such route|"Not [Ff]ound"/)
      }
    }
  })

  it('is right that all dialects work on the same memories', async () => {
    const { apiKey } = await makeAccount(gateway)
    const as = { ...headers, authorization: `Bearer ${apiKey}`, 'x-project-id': 'default' }
    const note = 'Ada keeps a tortoise called Methuselah'
    const added = await call(`${gateway.url}/v1/memory/`, {
      method: 'POST',
      headers: as,
      body: JSON.stringify({ content: note, external_user_id: 'ada' }),
    })
    expect(added.status).toBe(201)
    const stack = await call(`${gateway.url}/api/v1/memories?user_id=ada`, { headers: as })
    expect(stack.body.results).toMatchObject([{ id: added.body.memory.id, content: note }])
    const query = JSON.stringify({ query: 'Methuselah' })
    const sync = await call(`${gateway.url}/memory/query`, { method: 'POST', headers: as, body: query })
    expect(sync.body.memories).toMatchObject([{ text: note }])
  })
})
