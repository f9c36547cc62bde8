import { sql } from 'drizzle-orm'
import type { RecordedRequest } from '../../helpers/fake-everos.ts'
import type { Game, Step } from './game.ts'
import { marksIn, secretsIn } from './marks.ts'
import { checkResults } from './operations-memories.ts'
import { listResources } from './operations-resources.ts'
import { listMessages, listSessions } from './operations-sessions.ts'
import { type Player, sessionNames, spaces } from './player.ts'

// What must hold when a program is over, its backend well again, and everything come to rest.

interface Scope {
  readonly external_id: string
  readonly upstream_project_id: string
  readonly upstream_sender_id: string
  readonly sessions: readonly string[]
}

/** Everything of everybody is there and nothing else, here and in the backend. Returns whose each project is. */
export async function verifyEnd(game: Game): Promise<Map<string, Player>> {
  const { world, players } = game
  for (const player of players) player.plan = []
  if (!(await world.settle(players, 20))) throw new Error('Not all sessions have come to rest.')
  for (const player of players) await verifyPlayer(game, player)
  const scopes = await scopesOf(game)
  const projects = [...scopes.keys()]
  // A session whose only upload was refused has no row any more: then all calls that name it must be of one project.
  const projectOf = new Map([...scopes].flatMap(([project, scope]) => scope.sessions.map((name) => [name, project])))
  for (const [project, requests] of world.takeTraffic(projects)) {
    for (const request of requests) {
      verifyRequest(request, scopes.get(project) as Scope, players)
      for (const session of sessionsNamed(request.body)) {
        const owner = projectOf.get(session) ?? project
        if (owner !== project) throw new Error(`UPSTREAM: ${request.path} in ${project} names ${session} of ${owner}`)
        projectOf.set(session, owner)
      }
    }
  }
  const ownerOf = (id: string) => players.find((player) => player.id === id) as Player
  return new Map([...scopes].map(([project, { external_id }]) => [project, ownerOf(external_id)]))
}

async function verifyPlayer(game: Game, me: Player): Promise<void> {
  for (const space of spaces.keys()) {
    const hasAny = me.liveResources(space).length > 0 || sessionNames.some((_, at) => stored(me, space, at).length > 0)
    if (!hasAny) continue
    const step: Step = { operation: '', who: 0, space, session: 0, pick: 99, variant: 0 }
    await listSessions(game, me, step)
    await listResources(game, me, step)
    const held = await heldTexts(game, me, space)
    for (const session of sessionNames.keys()) {
      if (stored(me, space, session).length > 0) await verifySession(game, me, { ...step, session }, held)
    }
    await verifyResources(game, me, step, held)
  }
}

function stored(me: Player, space: number, session: number) {
  return me.sessions.get(`${space} ${sessionNames[session]}`) ?? []
}

async function verifySession(game: Game, me: Player, step: Step, held: string): Promise<void> {
  const states = await listMessages(game, me, step)
  // What was broken off may come as late as now; of what was acknowledged everything is known.
  for (const { tag, isOfUser } of stored(me, step.space, step.session)) {
    const state = states.get(tag)
    if (state === 'accumulated' || state === 'extracted') {
      if (isOfUser && !held.includes(`${me.mark} harbour ${tag}`))
        throw new Error(`${tag} is ${state}, but the backend lacks it.`)
    } else if (state !== 'failed' || !me.hadFaults) throw new Error(`${tag} is ${state} at the end.`)
  }
}

async function verifyResources(game: Game, me: Player, step: Step, held: string): Promise<void> {
  const query = { ...spaces[step.space], limit: '200' }
  const { json } = await game.ask(me, step, { method: 'GET', path: '/resources', query })
  let findable = 0
  for (const { resource_id: id, status } of json.resources) {
    const row = me.resources.find((resource) => resource.id === id)
    if (!row) continue
    if (status === 'extracted') {
      if (!row.isFindable) continue
      findable += 1
      if (!held.includes(row.tag)) throw new Error(`The resource ${row.tag} is extracted, but the backend lacks it.`)
    } else if (status !== 'failed' || !me.hadFaults) throw new Error(`The resource ${id} is ${status} at the end.`)
  }
  const scoped = { ...spaces[step.space], query: me.mark, scope: ['resources'], top_k: 100 }
  const answer = await game.ask(me, step, { method: 'POST', path: '/memories/search', json: scoped })
  if (!game.expect(me, answer, 200)) return
  checkResults(me, answer)
  if (findable > 0 && answer.json.results.length === 0) throw new Error('Nothing is found of the own resources.')
}

/** All that the backend holds for the player in the space, live or not. */
async function heldTexts(game: Game, me: Player, space: number): Promise<string> {
  const { memory } = game.world.fake
  const scopes = await scopesOf(game, spaces[space]?.app_id)
  const projects = [...scopes].flatMap(([project, { external_id }]) => (external_id === me.id ? [project] : []))
  const buffered = [...memory.buffers()].filter(({ project }) => projects.includes(project))
  const episodes = memory.episodes.filter(({ project_id }) => projects.includes(project_id))
  return [
    ...buffered.flatMap(({ entries }) => entries.map(({ text }) => text)),
    ...episodes.map(({ text }) => text),
  ].join()
}

async function scopesOf(game: Game, appId?: string): Promise<Map<string, Scope>> {
  const ids = sql.param(`{${game.players.map(({ id }) => id).join(',')}}`)
  const result = await game.world.database.execute(
    sql`select external_id, upstream_project_id, upstream_sender_id,
          array(select upstream_session_id from sessions where sessions.scope_id = scopes.id) as sessions
        from scopes join users on users.id = scopes.user_id
        where external_id = any(${ids}::text[]) and app_id = coalesce(${appId ?? null}::text, app_id)`,
  )
  const rows = (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Scope[]
  return new Map(rows.map((row) => [row.upstream_project_id, row]))
}

/** A call to the backend names only what is the user's in whose project it works, and carries only their content. */
function verifyRequest(request: RecordedRequest, scope: Scope, players: readonly Player[]): void {
  const { path, headers, body } = request
  const text = JSON.stringify([headers, body])
  const owner = players.find(({ id }) => id === scope.external_id)
  const foreign = [...marksIn(text)].filter((mark) => mark !== owner?.mark)
  for (const player of players) {
    if (player !== owner) for (const value of player.own) if (text.includes(value)) foreign.push(value)
  }
  foreign.push(...secretsIn(text).filter((secret) => secret.startsWith('uk_')))
  if (body.user_id !== undefined && body.user_id !== scope.upstream_sender_id)
    foreign.push(`user_id ${JSON.stringify(body.user_id)}`)
  for (const { role, sender_id } of (body.messages ?? []) as { role: string; sender_id: string }[]) {
    const isOwn = sender_id === scope.upstream_sender_id
    if ((role === 'user') !== isOwn) foreign.push(`${role} ${sender_id}`)
  }
  if (foreign.length > 0) throw new Error(`UPSTREAM: ${path} for ${scope.external_id} has ${foreign.join(', ')}`)
}

function sessionsNamed(body: Record<string, unknown>): string[] {
  const filter = (body.filters as { session_id?: string | { in: string[] } } | undefined)?.session_id
  const filtered = typeof filter === 'string' ? [filter] : (filter?.in ?? [])
  return typeof body.session_id === 'string' ? [body.session_id, ...filtered] : filtered
}
