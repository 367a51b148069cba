import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { someChannel, someCharge, someReserve, testToken } from '../ledger/ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../ledger/test-books.ts';
import { createKeyCurrency } from './key-currency.ts';
import { createKeyBook, someKey, testPayer, testTokens } from './key-fixtures.ts';
import { spendLogsSchema } from './litellm-schemas.ts';
import { listSpendLogs, type SpendLogDeps } from './litellm-spend.ts';

const day = 20_717;
const dates = { start_date: '2026-09-21', end_date: '2026-09-22' };
let books: TestBooks;
let deps: SpendLogDeps;

beforeEach(async () => {
  books = openTestBooks();
  const { ledger } = createKeyBook();
  for (const keyId of ['key_1', 'key_2']) {
    await ledger.putKey(someKey({ keyId, secretHash: `0x${keyId.slice(-1).repeat(64)}`, name: `name of ${keyId}` }));
  }
  const [usdc, ...others] = testTokens;
  deps = {
    ...{ tokens: [{ ...usdc, address: testToken }, ...others], currency: createKeyCurrency(() => null) },
    ledger: {
      ...ledger,
      getSpending: async () => [],
      listCharges: async (options: Parameters<BackgroundLedger['listCharges']>[0]) => books.run('listCharges', options),
      // Few charges make one page.
      listSpending: async (options: Parameters<BackgroundLedger['listSpending']>[0]) =>
        books.run('sumSpending', { ...options, from: 0 }).sums,
    },
  };
});
afterEach(() => books.close());

/** Charges calls by keys (null: by a voucher) on one channel, the later ones a day later. */
function charge(calls: readonly { keyId: string | null; amount: bigint; dayOffset?: number }[]): string[] {
  const channel = someChannel({ payer: testPayer });
  books.run('upsertChannel', channel);
  const signature = `0x${'11'.repeat(65)}` as const;
  const { channelId } = channel;
  books.run('acceptHeadroom', { voucher: { channelId, cumulativeAmount: 900_000n, signature }, nowMs: 0 });
  return calls.map(({ keyId, amount, dayOffset = 0 }) => {
    const admittedAtMs = (day + dayOffset) * 86_400_000 + 5_000;
    const budget = { day: day + dayOffset, limitAgpt: 2n ** 127n, rate: 10n ** 18n };
    const funds = { kind: 'key', channelId } as const;
    const request = someReserve(null, amount, { keyId, funds, budget, admittedAtMs });
    expect(books.run('reserve', request)).toMatchObject({ ok: true });
    books.run('charge', someCharge(request.callId, amount));
    return request.callId;
  });
}

const list = (query: object = {}) => listSpendLogs(deps, spendLogsSchema.parse(query));

describe('/spend/logs', () => {
  it('has a row for each charged call that came with a key, in the price currency', async () => {
    const [first] = charge([
      { keyId: 'key_1', amount: 250_000n },
      { keyId: null, amount: 7n },
      { keyId: 'key_2', amount: 1n },
    ]);
    const rows = await list();
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      ...{
        request_id: first,
        api_key: '1'.repeat(64),
        spend: 0.25,
        total_tokens: 15,
        prompt_tokens: 10,
        completion_tokens: 5,
      },
      ...{
        model: 'sim-small',
        user: testPayer,
        custom_llm_provider: 'simulated',
        startTime: '2026-09-21T00:00:05.000Z',
      },
      metadata: { user_api_key_alias: 'name of key_1', amount: '250000', token: testToken },
    });
    expect(rows[1]).toMatchObject({ spend: 0.000001 });
  });

  it('is narrowed to a key, a payer, a call or days', async () => {
    const ids = charge([
      { keyId: 'key_1', amount: 1n },
      { keyId: 'key_2', amount: 2n, dayOffset: 1 },
    ]);
    const idsOf = async (query: object) => (await list(query)).map((row) => (row as { request_id: string }).request_id);
    expect(await idsOf({ api_key: '2'.repeat(64) })).toEqual([ids[1]]);
    expect(await idsOf({ api_key: 'key_1' })).toEqual([ids[0]]);
    expect(await idsOf({ request_id: ids[1] })).toEqual([ids[1]]);
    expect(await idsOf({ user_id: `0x${'cd'.repeat(20)}` })).toEqual([]);
    expect(await idsOf({ start_date: '2026-09-22' })).toEqual([ids[1]]);
    expect(await idsOf({ ...dates, summarize: 'false' })).toEqual(ids);
    await expect(list({ api_key: 'sk-none' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('with both dates has a row for each day, with its sums', async () => {
    charge([
      { keyId: 'key_1', amount: 100_000n },
      { keyId: 'key_2', amount: 200_000n },
      { keyId: null, amount: 400_000n },
      { keyId: 'key_1', amount: 50_000n, dayOffset: 1 },
    ]);
    expect(await list(dates)).toEqual([
      {
        ...{ startTime: '2026-09-21', spend: expect.closeTo(0.3, 9), users: { [testPayer]: expect.closeTo(0.3, 9) } },
        ...{ models: { 'sim-small': expect.closeTo(0.3, 9) }, ['1'.repeat(64)]: 0.1, ['2'.repeat(64)]: 0.2 },
      },
      {
        ...{ startTime: '2026-09-22', spend: 0.05, users: { [testPayer]: 0.05 }, models: { 'sim-small': 0.05 } },
        ['1'.repeat(64)]: 0.05,
      },
    ]);
  });

  it('refuses what it does not understand', () => {
    for (const query of [{ start_date: 'yesterday' }, { user_id: 'bob' }, { summarize: 'maybe' }, { team: 'x' }]) {
      expect(spendLogsSchema.safeParse(query).success).toBe(false);
    }
  });
});
