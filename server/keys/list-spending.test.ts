import { describe, expect, it } from 'vitest';
import type { SpendingFilter, SpendingSum } from '../ledger/background-ledger.ts';
import { someKey, testPayer, testTokens } from './key-fixtures.ts';
import { listPayerSpending, spendingQuerySchema } from './list-spending.ts';

const [usdc, agpt] = testTokens;
const sum = (fields: Partial<SpendingSum>): SpendingSum => ({
  ...{ token: usdc.address, payer: null, keyId: null, model: null, day: null, calls: 1, amount: 10n },
  ...fields,
});

async function ask(query: object, sums: readonly SpendingSum[]) {
  const asked: object[] = [];
  const ledger = {
    async listSpending(options: SpendingFilter & { groupBy: readonly string[] }) {
      asked.push(options);
      return [...sums];
    },
    getKey: async (keyId: string) => (keyId === 'key_x' ? undefined : someKey({ keyId, projectId: 'prj_1' })),
  };
  const rows = await listPayerSpending({ ledger }, { payer: testPayer, query: spendingQuerySchema.parse(query) });
  return { asked, rows };
}

describe('spending', () => {
  it('is told by day unless asked otherwise, between days', async () => {
    const { asked, rows } = await ask({ since: '1970-01-02', until: '1970-01-03' }, [sum({ day: 1 })]);
    expect(asked).toEqual([{ payer: testPayer, sinceDay: 1, untilDay: 2, groupBy: ['day'] }]);
    expect(rows).toEqual([{ token: usdc.address, day: '1970-01-02', calls: 1, amount: '10' }]);
  });

  it('of a project is that of its keys; tokens are not added up', async () => {
    const { asked, rows } = await ask({ group_by: 'project' }, [
      ...[sum({ keyId: 'key_1' }), sum({ keyId: 'key_2', calls: 2 }), sum({ keyId: 'key_2', token: agpt.address })],
      ...[sum({ keyId: null }), sum({ keyId: 'key_x' })],
    ]);
    expect(asked).toMatchObject([{ groupBy: ['key'] }]);
    expect(rows).toEqual([
      { token: usdc.address, project_id: 'prj_1', calls: 3, amount: '20' },
      { token: agpt.address, project_id: 'prj_1', calls: 1, amount: '10' },
      { token: usdc.address, project_id: null, calls: 2, amount: '20' },
    ]);
  });

  it('is asked for in words that are known', () => {
    for (const query of [{ group_by: 'colour' }, { group_by: '' }, { since: 'yesterday' }, { token: 'x' }]) {
      expect(spendingQuerySchema.safeParse(query).success).toBe(false);
    }
    expect(spendingQuerySchema.parse({ group_by: 'key,model' }).group_by).toEqual(['key', 'model']);
  });
});
