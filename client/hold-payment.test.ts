import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { replaceHold } from './day-spending.ts';
import { holdPayment, signHeld } from './hold-payment.ts';
import { openWalletState, type WalletStateFile } from './wallet-state.ts';

let stateDir: string;
let state: WalletStateFile;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-holds-'));
  state = openWalletState(stateDir);
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const token = { symbol: 'USDC', decimals: 6, address: `0x${'dc'.repeat(20)}` } as const;
const hold = (amount: bigint, limits = {}) => holdPayment(state, { chainId: 1, token, amount, limits });

it('counts payments that come at once one after the other, up to the day', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => hold(1_000_000n)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  expect(outcomes.at(-1)).toMatchObject({ reason: { code: 'wallet_limit_exceeded', facts: { limit: 'perDay' } } });
  expect((await openWalletState(stateDir).read()).spending).toMatchObject([{ amount: 5_000_000n }]);
});

it('lets go of what was not taken, to the unit', async () => {
  const held = await hold(5_000_000n);
  await expect(hold(1n)).rejects.toMatchObject({ code: 'wallet_limit_exceeded' });
  await state.update((saved) => replaceHold(saved, held, 4_999_999n));
  await hold(1n);
  await expect(hold(1n)).rejects.toMatchObject({ code: 'wallet_limit_exceeded' });
});

it('obeys the owner’s limits before its own', async () => {
  await hold(8_000_000n, { perDay: 9_000_000n });
  await expect(hold(8n, { perDay: 9_000_000n, perCall: 7n })).rejects.toMatchObject({ facts: { limit: 'perCall' } });
});

it('does not count what could not be signed', async () => {
  const refused = signHeld(state, await hold(5_000_000n), () => Promise.reject(new Error('no domain')));
  await expect(refused).rejects.toThrow('no domain');
  await hold(5_000_000n);
});
