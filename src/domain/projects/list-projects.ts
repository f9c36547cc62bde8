import type { Database } from '../../db/database.ts'
import { DEFAULT_PROJECT } from '../accounts/authenticate-key.ts'
import { findAccount } from '../accounts/queries.ts'
import type { ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import {
  countByProject,
  type LabelledProject,
  selectBoundProjects,
  selectLabels,
  selectUsedProjects,
} from './queries.ts'

/** A project is there as soon as somebody names it: a request, a key, a webhook, or whoever gives it a name. */
export interface Project {
  readonly id: string
  /** Its id, unless it was given one. */
  readonly name: string
  readonly accountId: string
  readonly isDefault: boolean
  readonly memoryCount: number
  readonly createdAt: Date
  readonly updatedAt: Date
  /** A mark for people: requests of an archived project are served. */
  readonly archivedAt: Date | null
}

/** Those of the key's account, by their ids; a key that is bound to a project sees that one. */
export async function listProjects(ctx: ServiceContext): Promise<readonly Project[]> {
  const { accountId, projectId, isProjectLocked } = ctx.service
  const all = await readProjects(ctx.services.db, accountId)
  return isProjectLocked ? all.filter(({ id }) => id === projectId) : all
}

/** `not_found` for one that is not there, or that the key may not see. */
export async function getProject(tx: Database, ctx: ServiceContext, id: string): Promise<Project> {
  const { accountId, projectId, isProjectLocked } = ctx.service
  const found = (await readProjects(tx, accountId)).find((project) => project.id === id)
  if (!found || (isProjectLocked && id !== projectId)) {
    throw new GatewayError('not_found', 'There is no such project.')
  }
  return found
}

async function readProjects(db: Database, accountId: string): Promise<Project[]> {
  const account = await findAccount(db, accountId)
  const since = account?.createdAt ?? new Date(0)
  const labels = new Map((await selectLabels(db, accountId)).map((label) => [label.projectId, label]))
  const used = new Map((await selectUsedProjects(db, accountId)).map((one) => [one.projectId, one.since]))
  const bound = await selectBoundProjects(db, accountId)
  const counts = await countByProject(db, accountId)
  const ids = new Set([DEFAULT_PROJECT, ...labels.keys(), ...used.keys(), ...bound])
  return [...ids]
    .toSorted()
    .map((id) => toProject(id, labels.get(id), used.get(id) ?? since, counts.get(id) ?? 0, accountId))
}

function toProject(
  id: string,
  label: LabelledProject | undefined,
  usedSince: Date,
  memoryCount: number,
  accountId: string,
): Project {
  const createdAt = label ? new Date(label.createdAt) : usedSince
  return {
    id,
    name: label?.name ?? id,
    accountId,
    isDefault: id === DEFAULT_PROJECT,
    memoryCount,
    createdAt,
    updatedAt: label?.updatedAt ?? createdAt,
    archivedAt: label?.archivedAt ? new Date(label.archivedAt) : null,
  }
}
