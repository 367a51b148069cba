import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someChannel, someCharge, someReserve, wideBudget } from '../ledger-fixtures.ts';
import type { BudgetTerms } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** A call that holds 100 of a channel of 1,000 and of the first model's budget. */
function begin(changes: Partial<BudgetTerms> = {}) {
  const channel = someChannel({ deposit: 1_000n });
  books.run('upsertChannel', channel);
  const { channelId } = channel;
  const request = someReserve({ channelId, cumulativeAmount: 500n }, 100n);
  const terms = { ...wideBudget(request.admittedAtMs), ...changes };
  request.budget = terms;
  books.run('reserve', request);
  const { callId, model } = request;
  const daysOf = (name: string) => {
    const { charged, reserved } = books.stores.modelDays.get(name, terms.day);
    return { charged, reserved };
  };
  const move = (to: string, budget: Partial<BudgetTerms> = {}) =>
    books.run('moveCall', { callId, model: to, budget: { ...terms, ...budget } });
  return { callId, channelId, model, terms, daysOf, move, state: () => books.run('getChannel', channelId) };
}

/** What a charge of the call says if it is sold as another model. */
function chargeAs(callId: string, model: string, metered: bigint) {
  const charge = someCharge(callId, metered);
  return books.run('charge', { ...charge, receipt: { ...charge.receipt, modelAsked: model } });
}

describe('a call that another model answers', () => {
  it('holds and spends of the other one’s budget, and nothing of the first one’s', () => {
    const call = begin({ rate: 10n ** 18n / 3n });
    expect(call.daysOf(call.model)).toEqual({ charged: 0n, reserved: 34n });
    expect(call.move('other')).toEqual({ ok: true });
    expect(call.daysOf(call.model)).toEqual({ charged: 0n, reserved: 0n });
    // Rounded up to the wei, as on the chain.
    expect(call.daysOf('other')).toEqual({ charged: 0n, reserved: 34n });
    expect(call.state()).toMatchObject({ reserved: 100n });
    const { receipt } = chargeAs(call.callId, 'other', 40n);
    expect(receipt).toMatchObject({ modelAsked: 'other', amount: 40n });
    expect(call.daysOf('other')).toEqual({ charged: 14n, reserved: 0n });
    expect(call.state()).toMatchObject({ charged: 40n, reserved: 0n });
  });

  it('cannot be charged as the first one any more', () => {
    const call = begin();
    call.move('other');
    expect(() => chargeAs(call.callId, call.model, 40n)).toThrow('reserved for another model');
  });

  it('stays where it is if the other one’s budget does not cover its whole hold', () => {
    const call = begin();
    const limitAgpt = call.daysOf(call.model).reserved - 1n;
    expect(call.move('other', { limitAgpt })).toMatchObject({ ok: false, spending: { charged: 0n, reserved: 0n } });
    expect(call.daysOf('other')).toEqual({ charged: 0n, reserved: 0n });
    expect(call.daysOf(call.model).reserved).toBe(limitAgpt + 1n);
    expect(chargeAs(call.callId, call.model, 40n).receipt.modelAsked).toBe(call.model);
  });

  it('shares the last of a budget with nobody: of many at once, as many move as it covers', () => {
    const calls = Array.from({ length: 5 }, () => begin());
    const [first] = calls;
    const each = first?.daysOf(first.model).reserved ?? 0n;
    const limitAgpt = (each / 5n) * 3n;
    const outcomes = books.runGroup(
      calls.map(({ callId, terms }) => ({
        name: 'moveCall' as const,
        argument: { callId, model: 'other', budget: { ...terms, limitAgpt } },
      })),
    );
    expect(outcomes.map((outcome) => outcome.ok && (outcome.value as { ok: boolean }).ok)).toEqual([
      ...[true, true, true, false, false],
    ]);
    expect(first?.daysOf('other').reserved).toBe(limitAgpt);
  });

  it('may move back, or again to where it is', () => {
    const call = begin();
    const before = call.daysOf(call.model);
    call.move('other');
    expect(call.move('other')).toEqual({ ok: true });
    expect(call.move(call.model)).toEqual({ ok: true });
    expect(call.daysOf(call.model)).toEqual(before);
    expect(call.daysOf('other')).toEqual({ charged: 0n, reserved: 0n });
  });

  it('gives everything back when it is released, or swept after a crash', () => {
    const released = begin();
    released.move('other');
    books.run('release', { callId: released.callId, reason: 'upstream_error', attempts: [] });
    const crashed = begin();
    crashed.move('other');
    books.run('sweep', { leaseBeforeMs: Number.MAX_SAFE_INTEGER, nowMs: 1 });
    expect(released.daysOf('other')).toEqual({ charged: 0n, reserved: 0n });
    expect(released.daysOf(released.model)).toEqual({ charged: 0n, reserved: 0n });
    expect(crashed.state()).toMatchObject({ charged: 0n, reserved: 0n });
  });

  it('that nobody pays for just changes its name', () => {
    const free = someReserve(null, 0n);
    books.run('reserve', free);
    expect(books.run('moveCall', { callId: free.callId, model: 'other', budget: null })).toEqual({ ok: true });
    expect(chargeAs(free.callId, 'other', 0n).receipt).toMatchObject({ modelAsked: 'other', amount: 0n });
  });

  it('has to be under way, and paid for as it was', () => {
    const call = begin();
    books.run('charge', someCharge(call.callId, 10n));
    expect(() => call.move('other')).toThrow(expect.objectContaining({ code: 'internal_error' }));
    const free = someReserve(null, 0n);
    books.run('reserve', free);
    const ask = { callId: free.callId, model: 'other', budget: wideBudget(free.admittedAtMs) };
    expect(() => books.run('moveCall', ask)).toThrow(expect.objectContaining({ code: 'internal_error' }));
  });
});
