import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { StoredProject } from '../ledger/key-ledger.ts';
import { createId } from './api-key.ts';
import type { ProjectChange, ProjectTerms } from './key-schemas.ts';
import { requireToken, type ManageDeps } from './manage-keys.ts';

/** The most living projects of a payer. */
const maxProjects = 1_000;

/**
 * Makes a project.
 * @throws AutoPayError `invalid_request`, `insufficient_headroom` if the payer has agreed to pay for no keys yet
 */
export async function createProject(deps: ManageDeps, payer: Hex, terms: ProjectTerms): Promise<StoredProject> {
  const { ledger, nowMs, tokens } = deps;
  if ((await ledger.listProjects(payer)).length >= maxProjects) {
    throw new AutoPayError('invalid_request', `A payer may have ${maxProjects} projects. Delete some.`);
  }
  const token = requireToken(tokens, terms.token);
  const hasKeys = (await ledger.listKeys(payer)).length > 0;
  if (!hasKeys && !(await ledger.findKeyChannel({ payer, token: token.address }))) {
    const message = 'A project needs a payer. Post headroom for keys first: POST /v1/keys/headroom.';
    throw new AutoPayError('insufficient_headroom', message, { facts: { payer, token: token.address } });
  }
  const project: StoredProject = {
    ...{ projectId: createId('prj_'), payer, token: token.address, name: terms.name },
    metadata: JSON.stringify(terms.metadata ?? {}),
    models: terms.models && terms.models.length > 0 ? terms.models : null,
    ...{ budget: terms.budget ?? null, budgetDuration: terms.budget_duration ?? null },
    ...{ budgetFrom: Math.floor(nowMs() / 1_000), createdAtMs: nowMs(), deletedAtMs: null },
  };
  await ledger.putProject(project);
  return project;
}

/** Changes a project, as `changeKey` changes a key. */
export async function changeProject(
  deps: ManageDeps,
  project: StoredProject,
  change: ProjectChange,
): Promise<StoredProject> {
  const { budget_duration: duration = project.budgetDuration } = change;
  const after: StoredProject = {
    ...project,
    ...(change.name !== undefined && { name: change.name }),
    ...(change.metadata !== undefined && { metadata: JSON.stringify(change.metadata) }),
    ...(change.models !== undefined && { models: change.models && change.models.length > 0 ? change.models : null }),
    ...(change.budget !== undefined && { budget: change.budget }),
    ...(duration !== project.budgetDuration && {
      ...{ budgetDuration: duration, budgetFrom: Math.floor(deps.nowMs() / 1_000) },
    }),
  };
  await deps.ledger.putProject(after);
  deps.cache.clear();
  return after;
}

/**
 * Deletes a project that has no keys.
 * @throws AutoPayError `invalid_request` if it has
 */
export async function deleteProject(deps: ManageDeps, project: StoredProject): Promise<void> {
  const keys = await deps.ledger.listKeys(project.payer);
  if (keys.some(({ projectId }) => projectId === project.projectId)) {
    throw new AutoPayError('invalid_request', 'The project has keys. Delete them, or move them to another project.');
  }
  await deps.ledger.putProject({ ...project, deletedAtMs: deps.nowMs() });
}
