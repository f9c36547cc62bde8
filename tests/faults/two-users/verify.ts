import { sql } from 'drizzle-orm'
import type { RecordedRequest } from '../../helpers/fake-everos.ts'
import type { Game, Step } from './game.ts'
import { marksIn, secretsIn } from './marks.ts'
import { listOperations } from './operations-backlog.ts'
import { readReceipt, selectScopes } from './operations-erasures.ts'
import { checkResults } from './operations-memories.ts'
import { listResources } from './operations-resources.ts'
import { listMessages, listSessions } from './operations-sessions.ts'
import {
  type FormerPlayer,
  type Player,
  type Receipt,
  type ScopeRow,
  sessionKey,
  sessionNames,
  spaces,
} from './player.ts'

// What must hold when a program is over, its backend well again, and everything come to rest.

interface Scope extends ScopeRow {
  readonly owner: Player
}

/** Everything of everybody is there and nothing else, here and in the backend. Returns whose each project is. */
export async function verifyEnd(game: Game): Promise<Map<string, Player>> {
  const { world, players } = game
  for (const player of game.everyone()) player.plan = []
  if (!(await world.settle(players, 20))) throw new Error('Not all sessions and erasures have come to rest.')
  for (const player of players) {
    await verifyPlayer(game, player)
    for (const former of player.former) await verifyErased(game, former)
    for (const { receipts } of [player, ...player.former.map((former) => former.player)]) {
      for (const receipt of receipts) await verifyReceipt(game, player, receipt)
    }
  }
  const scopes = await scopesOf(game)
  const projects = [...scopes.keys()]
  // A session whose only upload was refused has no row any more: then all calls that name it must be of one project.
  const projectOf = new Map([...scopes].flatMap(([project, scope]) => scope.sessions.map((name) => [name, project])))
  for (const [project, requests] of world.takeTraffic(projects)) {
    for (const request of requests) {
      verifyRequest(request, scopes.get(project) as Scope, game.everyone())
      for (const session of sessionsNamed(request.body)) {
        const owner = projectOf.get(session) ?? project
        if (owner !== project) throw new Error(`UPSTREAM: ${request.path} in ${project} names ${session} of ${owner}`)
        projectOf.set(session, owner)
      }
    }
  }
  return new Map([...scopes].map(([project, { owner }]) => [project, owner]))
}

const atEnd: Step = { operation: '', who: 0, space: 0, session: 0, pick: 99, variant: 0 }

async function verifyReceipt(game: Game, me: Player, receipt: Receipt): Promise<void> {
  const read = await readReceipt(game, me, atEnd, receipt)
  if (read && read.status !== 'done') throw new Error(`${receipt.id} is ${read.status} at the end.`)
}

/** Nothing is left of one who was erased: no row, no object, no memory. */
async function verifyErased(game: Game, { player, userId, scopes, objectKeys }: FormerPlayer): Promise<void> {
  const { world } = game
  const tables = await world.rows<{ name: string }>(
    sql`select table_name as name from information_schema.columns where column_name = 'user_id' and table_schema = 'public'`,
  )
  for (const { name } of tables) {
    // What is kept says who did what, by random ids.
    if (name === 'audit_log' || name === 'erasures') continue
    const rows = await world.rows<{ text: string }>(
      sql`select t::text as text from ${sql.identifier(name)} t where user_id = ${userId}`,
    )
    if (rows[0]) throw new Error(`${name} still has of an erased user: ${rows[0].text}`)
  }
  const rows = await world.rows(sql`select id from users where id = ${userId}`)
  if (rows.length > 0) throw new Error('An erased user still has a row.')
  for (const key of objectKeys) {
    if (await world.keeper.services.objectStore.head(key)) throw new Error(`An erased user's object is there: ${key}`)
  }
  const projects = scopes.map((scope) => scope.upstream_project_id)
  const held = textsIn(game, projects)
  if (held) throw new Error(`The backend still has of an erased user: ${held.slice(0, 500)}`)
  const { secret: key } = player.keys[0] ?? { secret: '' }
  const answer = await game.askWith(player, atEnd, { method: 'GET', path: '/sessions' }, { key })
  game.expect(player, answer, 401)
}

async function verifyPlayer(game: Game, me: Player): Promise<void> {
  const failed = new Set<string>()
  for (const operation of await listOperations(game, me, atEnd)) {
    const { operation_id: id, status, app_id: app, session_id: session, resource_id: resource } = operation
    const isFailed = status === 'failed' || status === 'rejected'
    const name =
      resource ??
      sessionKey(
        spaces.findIndex(({ app_id }) => app_id === app),
        session,
      )
    // What was broken off may come as late as now.
    const mayBeLate = resource === undefined ? me.uncertain.has(name) : me.isUncertainOfResources
    if (isFailed ? !me.hadFaults : !mayBeLate) throw new Error(`The operation ${id} is ${status} at the end.`)
    if (isFailed) failed.add(name)
  }
  for (const space of spaces.keys()) {
    const hasAny = me.liveResources(space).length > 0 || sessionNames.some((_, at) => stored(me, space, at).length > 0)
    if (!hasAny) continue
    const step: Step = { ...atEnd, space }
    await listSessions(game, me, step)
    await listResources(game, me, step)
    const held = await heldTexts(game, me, space)
    for (const session of sessionNames.keys()) {
      if (stored(me, space, session).length > 0) await verifySession(game, me, { ...step, session }, held, failed)
    }
    await verifyResources(game, me, step, held, failed)
  }
}

function stored(me: Player, space: number, session: number) {
  return me.sessions.get(`${space} ${sessionNames[session]}`) ?? []
}

async function verifySession(
  game: Game,
  me: Player,
  step: Step,
  held: string,
  failed: ReadonlySet<string>,
): Promise<void> {
  const states = await listMessages(game, me, step)
  // What was broken off may come as late as now; of what was acknowledged everything is known.
  for (const { tag, isOfUser } of stored(me, step.space, step.session)) {
    const state = states.get(tag)
    if (state === 'accumulated' || state === 'extracted') {
      if (isOfUser && !held.includes(`${me.mark} harbour ${tag}`))
        throw new Error(`${tag} is ${state}, but the backend lacks it.`)
    } else if (state !== 'failed' || !me.hadFaults) throw new Error(`${tag} is ${state} at the end.`)
    else if (!failed.has(sessionKey(step.space, sessionNames[step.session] ?? ''))) {
      throw new Error(`${tag} is failed, but no operation is listed.`)
    }
  }
}

async function verifyResources(
  game: Game,
  me: Player,
  step: Step,
  held: string,
  failed: ReadonlySet<string>,
): Promise<void> {
  const query = { ...spaces[step.space], limit: '200' }
  const { json } = await game.ask(me, step, { method: 'GET', path: '/resources', query })
  let findable = 0
  for (const { resource_id: id, status, error } of json.resources) {
    const row = me.resources.find((resource) => resource.id === id)
    if (!row) continue
    if (status === 'extracted') {
      if (!row.isFindable) continue
      findable += 1
      if (!held.includes(row.tag)) throw new Error(`The resource ${row.tag} is extracted, but the backend lacks it.`)
    } else if (status !== 'failed' || !me.hadFaults) throw new Error(`The resource ${id} is ${status} at the end.`)
    // The backend took it and found nothing in it: no batch of it is left to try.
    else if (error !== 'NO_EXTRACTION' && !failed.has(id))
      throw new Error(`The resource ${id} is failed, but no operation is listed.`)
  }
  const scoped = { ...spaces[step.space], query: me.mark, scope: ['resources'], top_k: 100 }
  const answer = await game.ask(me, step, { method: 'POST', path: '/memories/search', json: scoped })
  if (!game.expect(me, answer, 200)) return
  checkResults(me, answer)
  if (findable > 0 && answer.json.results.length === 0) throw new Error('Nothing is found of the own resources.')
}

/** All that the backend holds for the player in the space, live or not. */
async function heldTexts(game: Game, me: Player, space: number): Promise<string> {
  const scopes = [...(await scopesOf(game)).values()]
  const own = scopes.filter(({ owner, app_id }) => owner === me && app_id === spaces[space]?.app_id)
  return textsIn(
    game,
    own.map((scope) => scope.upstream_project_id),
  )
}

function textsIn({ world }: Game, projects: readonly string[]): string {
  const { memory } = world.fake
  const buffered = [...memory.buffers()].filter(({ project }) => projects.includes(project))
  const episodes = memory.episodes.filter(({ project_id }) => projects.includes(project_id))
  return [
    ...buffered.flatMap(({ entries }) => entries.map(({ text }) => text)),
    ...episodes.map(({ text }) => text),
  ].join()
}

/** Whose each project is, also those of who was erased. */
async function scopesOf({ world, players }: Game): Promise<Map<string, Scope>> {
  const found: Scope[] = []
  for (const owner of players) {
    const rows = await selectScopes(world, sql`select id from users where external_id = ${owner.id}`)
    found.push(...rows.map((row) => ({ ...row, owner })))
    for (const { player, scopes } of owner.former) found.push(...scopes.map((row) => ({ ...row, owner: player })))
  }
  return new Map(found.map((scope) => [scope.upstream_project_id, scope]))
}

/** A call to the backend names only what is the user's in whose project it works, and carries only their content. */
function verifyRequest(request: RecordedRequest, scope: Scope, players: readonly Player[]): void {
  const { path, headers, body } = request
  const text = JSON.stringify([headers, body])
  const { owner } = scope
  const foreign = [...marksIn(text)].filter((mark) => mark !== owner.mark)
  for (const player of players) {
    if (player === owner) continue
    for (const value of player.own) if (value !== owner.id && text.includes(value)) foreign.push(value)
  }
  foreign.push(...secretsIn(text).filter((secret) => secret.startsWith('uk_')))
  if (body.user_id !== undefined && body.user_id !== scope.upstream_sender_id)
    foreign.push(`user_id ${JSON.stringify(body.user_id)}`)
  for (const { role, sender_id } of (body.messages ?? []) as { role: string; sender_id: string }[]) {
    const isOwn = sender_id === scope.upstream_sender_id
    if ((role === 'user') !== isOwn) foreign.push(`${role} ${sender_id}`)
  }
  if (foreign.length > 0) throw new Error(`UPSTREAM: ${path} for ${owner.id} has ${foreign.join(', ')}`)
}

function sessionsNamed(body: Record<string, unknown>): string[] {
  const filter = (body.filters as { session_id?: string | { in: string[] } } | undefined)?.session_id
  const filtered = typeof filter === 'string' ? [filter] : (filter?.in ?? [])
  return typeof body.session_id === 'string' ? [body.session_id, ...filtered] : filtered
}
