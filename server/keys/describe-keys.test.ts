import { expect, test } from 'vitest';
import { describeKeys, describeProjects, type DescribeDeps } from './describe-keys.ts';
import { someKey, someProject, testTokens } from './key-fixtures.ts';

const from = 1_790_000_000;

function create() {
  const asked: object[] = [];
  const deps: DescribeDeps = {
    ledger: {
      async getSpending(scopes) {
        asked.push(...scopes);
        return scopes.map((scope, index) => ({ ...scope, charged: BigInt(index + 1), reserved: 7n }));
      },
    },
    nowMs: () => from * 1_000,
  };
  return { asked, deps };
}

test('keys are told with what they spent in their own periods, asked for together', async () => {
  const { asked, deps } = create();
  const keys = [
    someKey({ budget: 5n, budgetDuration: '1d', metadata: '{"a":1}', models: ['m'] }),
    someKey({ keyId: 'key_2', expiresAtMs: 0 }),
  ];
  const described = await describeKeys(deps, keys);
  expect(described).toMatchObject([
    {
      ...{ id: 'key_1', budget: '5', spent: '1', reserved: '7', metadata: { a: 1 }, models: ['m'], expires_at: null },
      budget_resets_at: new Date((from + 86_400) * 1_000).toISOString(),
    },
    { id: 'key_2', budget: null, spent: '2', budget_resets_at: null, expires_at: '1970-01-01T00:00:00.000Z' },
  ]);
  expect(asked).toEqual([
    { id: 'key:key_1', window: from, token: testTokens[0].address },
    { id: 'key:key_2', window: 0, token: testTokens[0].address },
  ]);
  expect(JSON.stringify(described)).not.toContain(keys[0]?.secretHash.slice(2));
});

test('projects are told alike', async () => {
  const { asked, deps } = create();
  expect(await describeProjects(deps, [someProject()])).toMatchObject([{ object: 'project', id: 'prj_1', spent: '1' }]);
  expect(asked).toMatchObject([{ id: 'project:prj_1' }]);
});
