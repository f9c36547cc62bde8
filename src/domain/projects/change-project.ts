import { type Database, inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { getProject, type Project } from './list-projects.ts'
import {
  deleteSettings,
  lockProjects,
  type ProjectLabel,
  putLabel,
  selectBoundProjects,
  selectLabels,
  selectUsedProjects,
} from './queries.ts'
import { ProjectInput } from './schemas.ts'

/** So many projects an account may give names to. */
const MAX_NAMED_PROJECTS = 1_000

/** A new project with an id of its own. `forbidden` for a key that is bound to a project, `conflict` if there are too many. */
export async function createProject(
  ctx: ServiceContext,
  input: unknown,
  also: AlsoStore<Project> = nothingElse,
): Promise<Project> {
  const { name } = parseInput(ProjectInput, input)
  if (ctx.service.isProjectLocked) throw new GatewayError('forbidden', 'This API key belongs to one project.')
  return write(ctx, createId('prj'), also, async (tx) => {
    if ((await selectLabels(tx, ctx.service.accountId)).length >= MAX_NAMED_PROJECTS) {
      throw new GatewayError('conflict', 'The account has too many projects. Delete one.', {
        details: { max_projects: MAX_NAMED_PROJECTS },
      })
    }
    return { name, createdAt: new Date().toISOString(), archivedAt: null }
  })
}

export async function renameProject(
  ctx: ServiceContext,
  id: string,
  input: unknown,
  also: AlsoStore<Project> = nothingElse,
): Promise<Project> {
  const { name } = parseInput(ProjectInput, input)
  return write(ctx, id, also, async (tx) => ({ ...labelOf(await getProject(tx, ctx, id)), name }))
}

/** Marks a project as archived, or takes the mark away. */
export async function markProject(
  ctx: ServiceContext,
  id: string,
  isArchived: boolean,
  also: AlsoStore<Project> = nothingElse,
): Promise<Project> {
  return write(ctx, id, also, async (tx) => {
    const label = labelOf(await getProject(tx, ctx, id))
    return { ...label, archivedAt: isArchived ? (label.archivedAt ?? new Date().toISOString()) : null }
  })
}

/**
 * Deletes an empty project and what is set of it. `conflict` while it has end users, a valid key or a webhook: what they are goes with them, one by
 * one, and the default project stays.
 */
export async function deleteProject(
  ctx: ServiceContext,
  id: string,
  also: AlsoStore<string> = nothingElse,
): Promise<void> {
  const { accountId } = ctx.service
  await inTransaction(ctx.services.db, async (tx) => {
    await lockProjects(tx, accountId)
    const { isDefault } = await getProject(tx, ctx, id)
    const isUsed = (await selectUsedProjects(tx, accountId)).some(({ projectId }) => projectId === id)
    const isBound = (await selectBoundProjects(tx, accountId)).includes(id)
    if (isDefault || isUsed || isBound) {
      throw new GatewayError(
        'conflict',
        isDefault
          ? 'The default project cannot be deleted.'
          : 'The project is in use. Revoke its keys, delete its webhooks, and erase its end users first.',
      )
    }
    await deleteSettings(tx, accountId, id)
    await recordAudit(tx, ctx, { action: 'settings.update', target: id })
    await also(tx, id)
  })
}

async function write(
  ctx: ServiceContext,
  id: string,
  also: AlsoStore<Project>,
  makeLabel: (tx: Database) => Promise<ProjectLabel>,
): Promise<Project> {
  const { accountId } = ctx.service
  return inTransaction(ctx.services.db, async (tx) => {
    await lockProjects(tx, accountId)
    await putLabel(tx, accountId, id, await makeLabel(tx))
    await recordAudit(tx, ctx, { action: 'settings.update', target: id })
    const project = await getProject(tx, ctx, id)
    await also(tx, project)
    return project
  })
}

function labelOf({ name, createdAt, archivedAt }: Project): ProjectLabel {
  return { name, createdAt: createdAt.toISOString(), archivedAt: archivedAt?.toISOString() ?? null }
}
