import type { Request, RequestHandler } from 'express';
import { describeProjects } from '../../keys/describe-keys.ts';
import { changeProjectSchema, createProjectSchema } from '../../keys/key-schemas.ts';
import { requireProject } from '../../keys/manage-keys.ts';
import { changeProject, createProject, deleteProject } from '../../keys/manage-projects.ts';
import type { KeyRoutesDeps } from './key-routes.ts';
import { readPrincipal, requireManager } from './read-principal.ts';

/** `POST /v1/projects` */
export function createProjectHandler(deps: KeyRoutesDeps): RequestHandler {
  return async (request, response) => {
    const payer = requireManager(await readPrincipal(request, deps));
    const project = await createProject(deps, payer, await deps.json.read(request, createProjectSchema));
    const [described] = await describeProjects(deps, [project]);
    response.status(201).json(described);
  };
}

/** `GET /v1/projects` */
export function listProjectsHandler(deps: KeyRoutesDeps): RequestHandler {
  return async (request, response) => {
    const payer = requireManager(await readPrincipal(request, deps));
    response.json({ object: 'list', data: await describeProjects(deps, await deps.ledger.listProjects(payer)) });
  };
}

/** `GET /v1/projects/{id}` */
export function getProjectHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const [described] = await describeProjects(deps, [await requireManaged(request, deps)]);
    response.json(described);
  };
}

/** `PATCH /v1/projects/{id}`: what is not named stays. */
export function changeProjectHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const project = await requireManaged(request, deps);
    const change = await deps.json.read(request, changeProjectSchema);
    const [described] = await describeProjects(deps, [await changeProject(deps, project, change)]);
    response.json(described);
  };
}

/** `DELETE /v1/projects/{id}`: only of a project without keys. */
export function deleteProjectHandler(deps: KeyRoutesDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const project = await requireManaged(request, deps);
    await deleteProject(deps, project);
    response.json({ object: 'project', id: project.projectId, deleted: true });
  };
}

async function requireManaged(request: Request<{ id: string }>, deps: KeyRoutesDeps) {
  const payer = requireManager(await readPrincipal(request, deps));
  return requireProject(deps, request.params.id, payer);
}
