import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { DirectPaymentKind } from '../../protocol/payments/payment-id.ts';
import type { PaymentState, StoredPayment } from './background-ledger.ts';
import { maxAmount } from './amount-blob.ts';
import { roundUpToUnit } from './billing-units.ts';
import { someChannel, someCharge, someKey, somePayment, someReserve, testToken } from './ledger-fixtures.ts';
import type { ChargeResult, DirectPayment, ReserveRequest } from './ledger.ts';
import type { OperationCall } from './messages.ts';
import type { ReserveDecision } from './operations/hold-funds.ts';
import { amountOf } from './rows.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

/*
 * Random groups of calls by direct payments, keys and vouchers, under scopes and idempotency keys, against a model as simple
 * as the rules: the books must decide as it does, and Σ charges = booked + not yet booked + lost must hold after every group.
 */

const unit = 2n ** 116n; // amounts are multiples of this, so that nothing narrower than 2^128 would do
const payers = [0, 1].map((index) => `0x${`a${index}`.repeat(20)}` as const);
const kinds: readonly DirectPaymentKind[] = ['eip3009', 'permit2-exact', 'permit2-upto', 'allowance'];
const scopeLimit = 300n * unit;
const keyLimit = 400n * unit;
const deposit = 500n * unit;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('reserve' as const),
      payment: fc.nat(5),
      quote: fc.nat(40),
      key: fc.option(fc.nat(2), { nil: null }),
      body: fc.nat(1),
      scoped: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('key' as const), quote: fc.nat(90), scoped: fc.boolean() }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('charge' as const), call: fc.nat(20), metered: fc.nat(45) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release' as const), call: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('settle' as const), payment: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lose' as const), payment: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('forgive' as const), payment: fc.nat(5) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface ModelCall {
  callId: string;
  payment: number | null;
  quote: bigint;
  scoped: boolean;
  key: { name: number; body: number } | null;
  state: 'reserved' | 'charged' | 'released';
  amount: bigint;
}

interface ModelPayment extends DirectPayment {
  state: PaymentState | 'new';
  call: string;
}

class Model {
  readonly calls: ModelCall[] = [];
  readonly payments: ModelPayment[] = Array.from({ length: 6 }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? 'eip3009';
    // Of the others it is no bound here.
    const available = kind === 'allowance' ? 60n * unit : maxAmount;
    const payer = payers[index % 2] ?? '0x';
    return { ...somePayment({ kind, payer, available, maximum: 35n * unit }), state: 'new', call: '' };
  });

  sum(pick: (call: ModelCall) => boolean, state: ModelCall['state']): bigint {
    const mine = this.calls.filter((call) => call.state === state && pick(call));
    return mine.reduce((sum, call) => sum + (state === 'charged' ? call.amount : call.quote), 0n);
  }

  /** 'ok', or the code of the refusal. */
  reserve(call: ModelCall): string {
    const first = this.calls.find(
      (other) => call.key && other.key?.name === call.key.name && other.state !== 'released',
    );
    if (first) return first.key?.body === call.key?.body ? 'idempotent_repeat' : 'idempotency_mismatch';
    const refusal = this.refuseFunds(call);
    if (refusal !== undefined) return refusal;
    const scoped = (other: ModelCall) => other.scoped;
    const spent = this.sum(scoped, 'charged') + this.sum(scoped, 'reserved');
    if (call.scoped && spent + call.quote > scopeLimit) return 'scope_exceeded';
    const payment = call.payment === null ? undefined : this.payments[call.payment];
    if (payment) Object.assign(payment, { state: 'reserved', call: call.callId });
    this.calls.push(call);
    return 'ok';
  }

  refuseFunds({ payment: index, quote }: ModelCall): string | undefined {
    if (index === null) {
      const byKey = (call: ModelCall) => call.payment === null;
      const held = this.sum(byKey, 'charged') + this.sum(byKey, 'reserved');
      return held + quote > keyLimit ? 'insufficient_headroom' : undefined;
    }
    const payment = this.payments[index];
    if (payment === undefined) return 'none';
    if (payment.state !== 'new' && payment.state !== 'released') return 'payment_already_used';
    const mine = this.payments.filter((other) => other.payer === payment.payer);
    if (mine.some((other) => other.state === 'lost')) return 'payer_owes';
    if (quote > payment.maximum) return 'insufficient_headroom';
    if (payment.kind !== 'allowance') return undefined;
    const open = mine.filter(({ kind, state }) => kind === 'allowance' && (state === 'reserved' || state === 'due'));
    const taken = open.map(({ call }) => this.calls.find(({ callId }) => callId === call));
    const sum = taken.reduce((all, call) => {
      const amount = call?.state === 'charged' ? call.amount : (call?.quote ?? 0n);
      return all + roundUpToUnit(amount);
    }, 0n);
    return sum + roundUpToUnit(quote) > (payment.available ?? 0n) ? 'insufficient_allowance' : undefined;
  }

  charge(call: ModelCall, metered: bigint): void {
    call.state = 'charged';
    call.amount = metered < call.quote ? metered : call.quote;
    const payment = call.payment === null ? undefined : this.payments[call.payment];
    if (payment) payment.state = call.amount === 0n ? 'settled' : 'due';
  }

  release(call: ModelCall): void {
    call.state = 'released';
    const payment = call.payment === null ? undefined : this.payments[call.payment];
    if (payment) payment.state = 'released';
  }
}

interface Planned {
  call: OperationCall;
  expected: string;
}

function planReserve(
  item: Extract<Step, { type: 'reserve' | 'key' }>,
  model: Model,
  channelId: `0x${string}`,
): Planned {
  const quote = BigInt(item.quote) * unit;
  const payment = item.type === 'reserve' ? item.payment : null;
  const key = item.type === 'reserve' && item.key !== null ? { name: item.key, body: item.body } : null;
  const paid = payment === null ? undefined : model.payments[payment];
  const { state: _state, call: _call, ...direct } = paid ?? { ...somePayment(), state: '', call: '' };
  const free = someReserve(null, quote);
  const request: ReserveRequest = {
    ...free,
    funds: payment === null ? { kind: 'key', channelId } : { kind: 'direct', payment: direct },
    budget: { day: 20_717, limitAgpt: 2n ** 128n - 1n, rate: 1n },
    scopes: item.scoped ? [{ id: 'key:a', window: 0, limit: scopeLimit, endsAtSeconds: null }] : [],
    idempotency: key === null ? null : someKey(`k${key.name}`, `b${key.body}`),
  };
  const { callId } = request;
  const expected = model.reserve({ callId, payment, quote, scoped: item.scoped, key, state: 'reserved', amount: 0n });
  return { call: { name: 'reserve', argument: request }, expected };
}

function planEnd(item: Extract<Step, { type: 'charge' | 'release' }>, model: Model): Planned | undefined {
  const call = model.calls[item.call];
  if (call === undefined) return undefined;
  const { callId, state } = call;
  if (item.type === 'release') {
    if (state === 'reserved') model.release(call);
    return { call: { name: 'release', argument: { callId, reason: 'client_gone', attempts: [] } }, expected: 'ok' };
  }
  const metered = BigInt(item.metered) * unit;
  if (state === 'reserved') model.charge(call, metered);
  const expected = state === 'released' ? 'internal_error' : `charged ${call.amount}`;
  return { call: { name: 'charge', argument: someCharge(callId, metered) }, expected };
}

function planPayment(item: Extract<Step, { type: 'settle' | 'lose' | 'forgive' }>, model: Model): Planned | undefined {
  const payment = model.payments[item.payment];
  if (payment === undefined || payment.state === 'new') return undefined;
  const { paymentId, state } = payment;
  const isOpen = state === 'due' || state === 'lost';
  const to = (next: PaymentState, can: boolean): string => {
    if (can) payment.state = next;
    return can ? 'ok' : 'internal_error';
  };
  const transactionHash = `0x${'11'.repeat(32)}` as const;
  switch (item.type) {
    case 'settle': {
      const hasMoved =
        state === 'settled' && (model.calls.find(({ callId }) => callId === payment.call)?.amount ?? 0n) > 0n;
      const call: OperationCall = { name: 'settlePayment', argument: { paymentId, transactionHash } };
      return { call, expected: hasMoved ? 'ok' : to('settled', isOpen || state === 'forgiven') };
    }
    case 'lose':
      return { call: { name: 'losePayment', argument: { paymentId, reason: 'gone' } }, expected: to('lost', isOpen) };
    case 'forgive': {
      const call: OperationCall = { name: 'forgivePayment', argument: paymentId };
      return { call, expected: state === 'forgiven' ? 'ok' : to('forgiven', state === 'lost') };
    }
  }
}

function plan(item: Step, model: Model, channelId: `0x${string}`): Planned | undefined {
  if (item.type === 'reserve' || item.type === 'key') return planReserve(item, model, channelId);
  return item.type === 'charge' || item.type === 'release' ? planEnd(item, model) : planPayment(item, model);
}

function outcomeOf({ name }: OperationCall, outcome: ReturnType<TestBooks['runGroup']>[number] | undefined): string {
  if (outcome === undefined) return 'none';
  if (!outcome.ok) return outcome.error.code;
  if (name === 'charge') return `charged ${(outcome.value as ChargeResult).receipt.amount}`;
  if (name !== 'reserve') return 'ok';
  const decision = outcome.value as ReserveDecision;
  return decision.ok ? 'ok' : decision.refusal.code;
}

function requireSound(payment: StoredPayment): void {
  const { charge, captured, maximum, kind } = payment;
  const isFixed = kind === 'eip3009' || kind === 'permit2-exact';
  expect(captured).toBe(charge === 0n ? 0n : isFixed ? maximum : charge);
  expect(charge <= captured && captured <= maximum).toBe(true);
}

/** Σ charges = booked + not yet booked + lost; what is booked and given back is what was taken. */
function checkBooks(books: TestBooks, model: Model, channelId: `0x${string}`): void {
  const scoped = (call: ModelCall) => call.scoped;
  // First, what is in the file: the operations below would write what is not.
  const windows = books.db.prepare('SELECT charged, reserved FROM scope_spending').all();
  for (const state of ['charged', 'reserved'] as const) {
    expect(windows.reduce((sum, row) => sum + amountOf(row, state), 0n)).toBe(model.sum(scoped, state));
  }
  const receipts = books.run('listEntries', { from: 0, limit: 1000 }).map(({ entry }) => decodeReceipt(entry));
  const charged = receipts.reduce((sum, { amount }) => sum + amount, 0n);
  expect(charged).toBe(model.sum(() => true, 'charged'));
  const [scope] = books.run('getSpending', [{ id: 'key:a', window: 0, token: testToken }]);
  expect(scope).toMatchObject({ charged: model.sum(scoped, 'charged'), reserved: model.sum(scoped, 'reserved') });
  const channel = books.run('getChannel', channelId);
  let [settled, lost, open] = [0n, 0n, 0n];
  for (const { paymentId, state } of model.payments) {
    const payment = books.run('getPayment', paymentId);
    expect(payment?.state ?? 'new').toBe(state);
    if (payment === undefined) continue;
    requireSound(payment);
    const receipt = receipts.find(({ callId }) => callId === payment.callId);
    expect(receipt?.refundOwed ?? 0n).toBe(payment.captured - payment.charge);
    if (state === 'settled') settled += payment.charge;
    if (state === 'lost' || state === 'forgiven') lost += payment.charge;
    if (state === 'due') open += payment.charge;
  }
  expect(settled + lost + open + (channel?.charged ?? 0n)).toBe(charged);
}

function checkBookings(books: TestBooks): void {
  for (let at = 0; at < 9 && books.run('openPaymentBooking', { maxPayments: 2 }) !== undefined; at += 1);
  const bookings = books.run('listPendingBookings', {});
  const amounts = bookings.flatMap(({ spends, refunds }) => [...spends, ...refunds].map(({ amount }) => amount));
  const rows = books.db.prepare('SELECT payment_id FROM direct_payments').all();
  const payments = rows.map((row) =>
    books.run('getPayment', `0x${Buffer.from(row['payment_id'] as Uint8Array).toString('hex')}`),
  );
  const taken = payments.filter((payment) => payment?.state === 'settled' && payment.kind !== 'allowance');
  expect(amounts.reduce((sum, amount) => sum + amount, 0n)).toBe(
    taken.reduce((sum, payment) => sum + (payment?.captured ?? 0n), 0n),
  );
}

test('the books decide as the model does, and always add up', () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { maxLength: 10 }), (groups) => {
      const books = openTestBooks();
      try {
        const { channelId } = books.run('upsertChannel', someChannel({ deposit }));
        const model = new Model();
        // What the channel's payer has signed, for the keys.
        const signing = someReserve({ channelId, cumulativeAmount: keyLimit }, 0n);
        books.run('reserve', signing);
        books.run('release', { callId: signing.callId, reason: 'client_gone', attempts: [] });
        for (const group of groups) {
          const planned = group.flatMap((item) => plan(item, model, channelId) ?? []);
          const outcomes = books.runGroup(planned.map(({ call }) => call));
          expect(planned.map(({ call }, index) => outcomeOf(call, outcomes[index]))).toEqual(
            planned.map(({ expected }) => expected),
          );
          checkBooks(books, model, channelId);
        }
        checkBookings(books);
      } finally {
        books.close();
      }
    }),
    { numRuns: 80 },
  );
}, 120_000);
