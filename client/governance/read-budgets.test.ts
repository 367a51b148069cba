import { expect, it } from 'vitest';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { fakeDeployment, fakeNow } from '../testing/fake-deployment.ts';
import { readBudgets } from './read-budgets.ts';

const today = Math.floor(fakeNow / 86_400);
const usdc = `0x${'dc'.repeat(20)}`;
const deployment = fakeDeployment({
  ModelBudgetSet: [{ args: { model: nameId('b'), name: 'b' } }],
  BudgetConsumed: [{ args: { model: nameId('a') } }, { args: { model: nameId('nameless') } }],
  NameRegistered: [{ args: { id: nameId('a'), name: 'a' } }],
  AccountingRateSet: [{ args: { token: usdc } }, { args: { token: usdc } }],
  limitOf: (_id: string, day: number) => (day === today ? 10n : 3n),
  spentOf: (_id: string, day: number) => (day === today ? 4n : 5n),
  defaultLimitOf: 7n,
  rateOf: 1n,
});

it('lists every model that an event names, today and tomorrow', async () => {
  const { models, rates, defaultLimit } = await readBudgets(deployment);
  expect(models.map(({ name }) => name)).toEqual([null, 'a', 'b']);
  expect(models[1]?.days).toEqual([
    { day: today, limit: 10n, spent: 4n, left: 6n },
    // A limit below what was booked leaves nothing, not less than nothing.
    { day: today + 1, limit: 3n, spent: 5n, left: 0n },
  ]);
  expect(rates.map(({ unit }) => unit.symbol)).toEqual(['USDC', 'AGPT']);
  expect(defaultLimit).toEqual({ today: 7n, tomorrow: 7n });
});

it('shows one model, even if no event names it', async () => {
  const { models } = await readBudgets(deployment, { model: 'new' });
  expect(models).toMatchObject([{ name: 'new', id: nameId('new') }]);
});
