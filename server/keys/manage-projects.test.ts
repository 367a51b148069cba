import { expect, test } from 'vitest';
import { createManageDeps, someKey, testPayer, testTokens } from './key-fixtures.ts';
import { changeProject, createProject, deleteProject } from './manage-projects.ts';
import { requireProject } from './manage-keys.ts';

test('a project is made by a payer that keys may spend from', async () => {
  const deps = createManageDeps();
  const project = await createProject(deps, testPayer, { name: 'p', budget: 7n, budget_duration: '1d', models: [] });
  expect(project).toMatchObject({ payer: testPayer, token: testTokens[0].address, budget: 7n, models: null });
  expect(await deps.ledger.listProjects(testPayer)).toEqual([project]);
  const stranger = createProject(deps, `0x${'cd'.repeat(20)}`, { name: 'p' });
  await expect(stranger).rejects.toMatchObject({ code: 'insufficient_headroom' });
});

test('a project keeps what a change does not name', async () => {
  const deps = createManageDeps();
  const project = await createProject(deps, testPayer, { name: 'p', budget: 7n, budget_duration: '1d' });
  expect(await changeProject(deps, project, {})).toEqual(project);
  const later = { ...deps, nowMs: () => deps.nowMs() + 5_000 };
  expect(await changeProject(later, project, { budget: null, models: ['m'], budget_duration: null })).toEqual({
    ...project,
    ...{ budget: null, models: ['m'], budgetDuration: null, budgetFrom: project.budgetFrom + 5 },
  });
});

test('a project with keys is not deleted', async () => {
  const deps = createManageDeps();
  const project = await createProject(deps, testPayer, { name: 'p' });
  await deps.ledger.putKey(someKey({ projectId: project.projectId }));
  await expect(deleteProject(deps, project)).rejects.toMatchObject({ code: 'invalid_request' });
  await deps.ledger.putKey(someKey({ projectId: null }));
  await deleteProject(deps, project);
  await expect(requireProject(deps, project.projectId, testPayer)).rejects.toMatchObject({ code: 'not_found' });
});
