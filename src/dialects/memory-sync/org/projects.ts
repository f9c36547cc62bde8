import { createProject, deleteProject, markProject, renameProject } from '../../../domain/projects/change-project.ts'
import { listProjects, type Project } from '../../../domain/projects/list-projects.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce, deleted } from '../../../http/once.ts'
import type { Sender } from '../auth.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { ADMIN, ADMIN_JSON } from './scope.ts'

const PROJECT = '/org/projects/:id'

export function addProjectRoutes(router: Router): void {
  addRoute(router, 'GET', '/org/projects', ADMIN, async (c, { ctx }) =>
    c.json((await listProjects(ctx)).map(toProject)),
  )

  addRoute(router, 'POST', '/org/projects', ADMIN_JSON, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      const input = await readBody(c)
      await claim.begin(ctx, input)
      const render = (project: Project) => answer(201, toProject(project))
      return render(await createProject(ctx, input, claim.keep(render)))
    }),
  )

  addRoute(router, 'PATCH', PROJECT, ADMIN_JSON, async (c, sender) => {
    const input = await readBody(c)
    return change(c, sender, input, (ctx, id, also) => renameProject(ctx, id, input, also))
  })

  addRoute(router, 'POST', `${PROJECT}/archive`, ADMIN, (c, sender) =>
    change(c, sender, null, (ctx, id, also) => markProject(ctx, id, true, also)),
  )

  addRoute(router, 'POST', `${PROJECT}/unarchive`, ADMIN, (c, sender) =>
    change(c, sender, null, (ctx, id, also) => markProject(ctx, id, false, also)),
  )

  addRoute(router, 'DELETE', PROJECT, ADMIN, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      await claim.begin(ctx)
      await deleteProject(
        ctx,
        c.req.param('id') ?? '',
        claim.keep(() => deleted()),
      )
      return deleted()
    }),
  )
}

type Change = (ctx: Sender['ctx'], id: string, also: Parameters<typeof markProject>[3]) => Promise<Project>

function change(c: HttpContext, { ctx }: Sender, input: unknown, verb: Change): Promise<Response> {
  return answerOnce(c, async (claim) => {
    await claim.begin(ctx, input)
    const render = (project: Project) => answer(200, toProject(project))
    return render(await verb(ctx, c.req.param('id') ?? '', claim.keep(render)))
  })
}

function toProject(project: Project) {
  return {
    id: project.id,
    name: project.name,
    tenant_id: project.accountId,
    is_default: project.isDefault,
    memory_count: project.memoryCount,
    archived_at: project.archivedAt?.toISOString() ?? null,
    created_at: project.createdAt.toISOString(),
    updated_at: project.updatedAt.toISOString(),
  }
}
