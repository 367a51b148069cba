import { expect, test } from 'vitest';
import { someKey, someProject } from './key-fixtures.ts';
import { scopesOfKey } from './spending-scopes.ts';

const from = 1_790_000_000;

test('a call counts in the scope of its key, and of its project if there is one', () => {
  const key = someKey({ budget: 5n, budgetDuration: '1d', budgetFrom: from });
  const project = someProject({ budget: 9n });
  const nowMs = (from + 90_000) * 1_000;
  expect(scopesOfKey({ key, project, channelId: null }, nowMs)).toEqual([
    { id: 'key:key_1', window: from + 86_400, limit: 5n, endsAtSeconds: from + 2 * 86_400 },
    { id: 'project:prj_1', window: 0, limit: 9n, endsAtSeconds: null },
  ]);
});

test('without a budget it is counted all the same, and nothing is refused', () => {
  expect(scopesOfKey({ key: someKey(), project: null, channelId: null }, 0)).toEqual([
    { id: 'key:key_1', window: 0, limit: 2n ** 128n - 1n, endsAtSeconds: null },
  ]);
});

test('a budget of nothing is a limit', () => {
  expect(scopesOfKey({ key: someKey({ budget: 0n }), project: null, channelId: null }, 0)).toMatchObject([
    { limit: 0n },
  ]);
});
