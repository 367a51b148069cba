import { expect, it } from 'vitest';
import { createPayFetch } from './pay-fetch.ts';
import { openWallet } from './open-wallet.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { sumSpending } from './sum-spending.ts';
import { doubleTerms, startRelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

const { chainId, token } = doubleTerms;

/** A paid and a free call's receipts, as the wallet stored them. */
async function makeReceipts(): Promise<[paid: StoredReceipt, free: StoredReceipt]> {
  const double = await startRelayDouble();
  const seeded = await seedWallet(double);
  const wallet = openWallet({ relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir });
  try {
    for (const model of ['paid', 'free']) {
      const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] });
      const response = await createPayFetch(wallet)(`${double.url}/v1/chat/completions`, { method: 'POST', body });
      await response.text();
    }
    const [paid, free] = await wallet.receipts.list();
    if (!paid || !free) throw new Error('two receipts were expected');
    return [paid, free];
  } finally {
    await double.close();
    await seeded.remove();
  }
}

it('sums by model and by day, each token for itself, within the days asked for', async () => {
  const [paid, free] = await makeReceipts();
  const on = (day: string, receipt: StoredReceipt, change: Partial<StoredReceipt> = {}): StoredReceipt => ({
    ...receipt,
    receivedAtMs: Date.parse(`${day}T23:59:59Z`),
    ...change,
  });
  const huge = '9007199254740993';
  const receipts = [
    on('2026-11-20', paid, { amount: huge }),
    on('2026-11-21', paid, { amount: '1', problems: ['it is for another call'] }),
    on('2026-11-21', free),
    on('2026-11-22', paid, { chainId: 1 }),
  ];
  const row = { token: token.address, promptTokens: 10, completionTokens: 5, calls: 1, doubtful: 0 };
  expect(sumSpending(receipts, { by: 'model', chainId })).toEqual([
    { ...row, name: 'free', token: null, amount: 0n },
    { ...row, name: 'paid', calls: 2, promptTokens: 20, completionTokens: 10, amount: BigInt(huge) + 1n, doubtful: 1 },
  ]);
  expect(sumSpending(receipts, { by: 'day', chainId }).map(({ name, amount }) => [name, amount])).toEqual([
    ['2026-11-20', BigInt(huge)],
    ['2026-11-21', 1n],
    ['2026-11-21', 0n],
  ]);
  expect(sumSpending(receipts, { by: 'day', chainId, since: '2026-11-21', until: '2026-11-21' })).toHaveLength(2);
  expect(sumSpending(receipts, { by: 'day', chainId, until: '2026-11-20' })).toHaveLength(1);
});
