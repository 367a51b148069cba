import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { someChannel, someCharge, someReserve } from './ledger-fixtures.ts';
import type { ChannelOnChain, ChargeResult } from './ledger.ts';
import type { OperationCall } from './messages.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';
import { amountOf } from './rows.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

/*
 * Random groups of operations against a model that is as simple as the rules are: the books must decide as it does, and
 * their sums must agree with their own receipts.
 */

interface ModelCall {
  callId: string;
  channel: number;
  cumulative: bigint;
  quote: bigint;
  state: 'reserved' | 'charged' | 'released';
  amount: bigint;
}

const deposit = 60n;
/** The budget of the day, which the channels together can exceed; each unit counts half a unit of AGPT. */
const limit = 45n;
const rate = 10n ** 18n / 2n;
const unit = 2n ** 120n; // amounts are multiples of this, so that nothing narrower than 2^128 would do

const reserving = (mayWait: fc.Arbitrary<boolean>) =>
  fc.record({
    type: fc.constant('reserve' as const),
    channel: fc.nat(1),
    cumulative: fc.integer({ min: 0, max: 64 }),
    quote: fc.nat(20),
    mayWait,
  });

const step = fc.oneof(
  { weight: 5, arbitrary: reserving(fc.boolean()) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('charge' as const), call: fc.nat(30), metered: fc.nat(25) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release' as const), call: fc.nat(30) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('collect' as const), fate: fc.constantFrom('finish', 'skip', 'abandon') }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One that may wait does so for the next, or until its time is up. */
const group = fc.record({
  steps: fc.oneof(
    fc.array(step, { minLength: 1, maxLength: 8 }),
    fc.array<Step>(reserving(fc.constant(true)), { minLength: 1, maxLength: 4 }),
  ),
  isTimeUp: fc.boolean(),
});

class Model {
  readonly calls: ModelCall[] = [];
  readonly accepted = [0n, 0n];

  sum(channel: number, state: 'reserved' | 'charged'): bigint {
    const mine = this.calls.filter((call) => call.channel === channel && call.state === state);
    return mine.reduce((sum, call) => sum + (state === 'reserved' ? call.quote : call.amount), 0n);
  }

  /** 'ok', or the code of the refusal. */
  reserve(call: ModelCall): string {
    const { channel, cumulative, quote } = call;
    if (this.calls.some((other) => other.channel === channel && other.cumulative === cumulative))
      return 'voucher_already_used';
    if (cumulative > deposit * unit) return 'amount_exceeds_deposit';
    const accepted = [this.accepted[channel] ?? 0n, cumulative].reduce((a, b) => (a > b ? a : b));
    if (accepted - this.sum(channel, 'charged') - this.sum(channel, 'reserved') < quote) return 'insufficient_headroom';
    const spent = [0, 1].flatMap((index) => [this.sum(index, 'charged'), this.sum(index, 'reserved')]);
    if (spent.reduce((sum, amount) => sum + amount, quote) > 2n * limit * unit) return 'model_budget_exceeded';
    this.accepted[channel] = accepted;
    this.calls.push(call);
    return 'ok';
  }
}

interface Planned {
  call: OperationCall;
  expected: string;
}

/** Turns a step into an operation, and says what its outcome must be by the model. */
function plan(step: Step, model: Model, channels: readonly ChannelOnChain[]): Planned | undefined {
  if (step.type === 'reserve') {
    const channelId = channels[step.channel]?.channelId ?? '0x';
    const [cumulative, quote] = [BigInt(step.cumulative) * unit, BigInt(step.quote) * unit];
    const day = Math.floor(someReserve(null, 0n).admittedAtMs / 86_400_000);
    const budget = { day, limitAgpt: limit * unit, rate };
    const request = someReserve({ channelId, cumulativeAmount: cumulative }, quote, { budget, mayWait: step.mayWait });
    const expected = model.reserve({
      callId: request.callId,
      channel: step.channel,
      cumulative,
      quote,
      state: 'reserved',
      amount: 0n,
    });
    return { call: { name: 'reserve', argument: request }, expected };
  }
  if (step.type === 'collect') return undefined;
  const call = model.calls[step.call];
  if (call === undefined) return undefined;
  if (step.type === 'release') {
    if (call.state === 'reserved') call.state = 'released';
    return {
      call: { name: 'release', argument: { callId: call.callId, reason: 'client_gone', attempts: [] } },
      expected: 'ok',
    };
  }
  const metered = BigInt(step.metered) * unit;
  const operation: OperationCall = { name: 'charge', argument: someCharge(call.callId, metered) };
  if (call.state === 'released') return { call: operation, expected: 'internal_error' };
  if (call.state === 'reserved') {
    call.state = 'charged';
    call.amount = metered < call.quote ? metered : call.quote;
  }
  return { call: operation, expected: `charged ${call.amount}` };
}

function outcomeOf(call: OperationCall, outcome: ReturnType<TestBooks['runGroup']>[number] | undefined): string {
  if (outcome === undefined) return 'none';
  if (!outcome.ok) return outcome.error.code;
  if (call.name === 'charge') return `charged ${(outcome.value as ChargeResult).receipt.amount}`;
  if (call.name !== 'reserve') return 'ok';
  const decision = outcome.value as ReserveDecision;
  return decision.ok ? 'ok' : decision.refusal.code;
}

function collect(books: TestBooks, fate: string): void {
  const collection = books.run('openCollection', { maxClaims: 5 });
  if (collection === undefined) return;
  const { id } = collection;
  const transactionHash: Hex = `0x${id.toString(16).padStart(64, '0')}`;
  const skipped = fate === 'skip' ? collection.claims.map((claim) => claim.channel.channelId) : [];
  if (fate === 'abandon') books.run('abandonCollection', id);
  else books.run('finishCollection', { id, transactionHash, skipped });
}

/** What is committed, whatever the writer remembers of it. */
function checkRows({ db }: TestBooks, model: Model, channels: readonly ChannelOnChain[]): void {
  expect(db.isTransaction).toBe(false);
  const select = db.prepare('SELECT charged, reserved, accepted_cumulative FROM channels WHERE channel_id = ?');
  for (const [index, { channelId }] of channels.entries()) {
    const row = select.get(fromHex(channelId, 32)) ?? {};
    expect(['charged', 'reserved', 'accepted_cumulative'].map((column) => amountOf(row, column))).toEqual([
      ...[model.sum(index, 'charged'), model.sum(index, 'reserved'), model.accepted[index]],
    ]);
  }
  const days = db.prepare('SELECT charged_agpt, reserved_agpt FROM model_days').all();
  const held = (state: 'charged' | 'reserved') =>
    days.reduce((sum, row) => sum + 2n * amountOf(row, `${state}_agpt`), 0n);
  for (const state of ['charged', 'reserved'] as const) {
    expect(held(state)).toBe(model.sum(0, state) + model.sum(1, state));
  }
}

function checkBooks(books: TestBooks, model: Model, channels: readonly ChannelOnChain[]): void {
  // First: the operations below would write what was not.
  checkRows(books, model, channels);
  const entries = books.run('listEntries', { from: 0, limit: 1000 });
  expect(entries.map(({ index }) => index)).toEqual(entries.map((_, index) => index));
  const receipts = entries.map(({ entry }) => decodeReceipt(entry));
  expect(receipts).toHaveLength(model.calls.filter((call) => call.state === 'charged').length);
  const day = Math.floor(someReserve(null, 0n).admittedAtMs / 86_400_000);
  const both = (state: 'charged' | 'reserved') => (model.sum(0, state) + model.sum(1, state)) / 2n;
  expect(books.stores.modelDays.get('sim-small', day)).toMatchObject({
    charged: both('charged'),
    reserved: both('reserved'),
  });
  let settled = 0n;
  for (const [index, { channelId }] of channels.entries()) {
    const state = books.run('getChannel', channelId);
    expect(state).toMatchObject({
      charged: model.sum(index, 'charged'),
      reserved: model.sum(index, 'reserved'),
      acceptedCumulative: model.accepted[index],
    });
    settled += state?.settled ?? 0n;
    let runningTotal = 0n;
    for (const [position, receipt] of receipts.filter((item) => item.channelId === channelId).entries()) {
      runningTotal += receipt.amount;
      expect([receipt.sequence, receipt.runningTotal]).toEqual([position + 1, runningTotal]);
    }
    expect(state?.charged).toBe(runningTotal);
  }
  const toBook = books.run('listPendingBookings', {}).flatMap(({ spends }) => spends);
  expect(toBook.reduce((sum, spend) => sum + spend.amount, 0n)).toBe(settled);
}

test('the books decide as the model does, and always add up', () => {
  fc.assert(
    fc.property(fc.array(group, { maxLength: 8 }), (groups) => {
      const books = openTestBooks();
      try {
        const channels = [someChannel({ deposit: deposit * unit }), someChannel({ deposit: deposit * unit })];
        for (const channel of channels) books.run('upsertChannel', channel);
        const model = new Model();
        let untold: Planned[] = [];
        for (const { steps, isTimeUp } of groups) {
          const planned = steps.flatMap((item) => plan(item, model, channels) ?? []);
          untold.push(...planned);
          let outcomes = books.runGroup(planned.map(({ call }) => call));
          if (books.db.isTransaction) {
            if (!isTimeUp) continue;
            outcomes = books.commit();
          }
          expect(untold.map(({ call }, index) => outcomeOf(call, outcomes[index]))).toEqual(
            untold.map(({ expected }) => expected),
          );
          untold = [];
          for (const item of steps) if (item.type === 'collect') collect(books, item.fate);
          checkBooks(books, model, channels);
        }
      } finally {
        books.close();
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
