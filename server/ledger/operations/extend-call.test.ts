import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { randomBytes } from '../../../protocol/bytes/random-bytes.ts';
import { someChannel, someCharge, someReserve, testToken, wideBudget } from '../ledger-fixtures.ts';
import type { BudgetTerms, SpendingScope } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** A channel of 1,000 with a call that holds 100 of the 150 that are signed. */
function begin(budget?: Partial<BudgetTerms>, scopes: SpendingScope[] = []) {
  const channel = someChannel({ deposit: 1_000n });
  books.run('upsertChannel', channel);
  const { channelId } = channel;
  const request = someReserve({ channelId, cumulativeAmount: 150n }, 100n, { scopes });
  const terms = { ...wideBudget(request.admittedAtMs), ...budget };
  request.budget = terms;
  books.run('reserve', request);
  const { callId } = request;
  return {
    channelId,
    callId,
    extend: (quote: bigint, of: readonly SpendingScope[] = scopes) =>
      books.run('extendCall', { callId, quote, budget: terms, scopes: of }),
    sign: (cumulativeAmount: bigint) =>
      books.run('acceptVoucher', { channelId, cumulativeAmount, signature: toHex(randomBytes(65)) }),
    state: () => books.run('getChannel', channelId),
  };
}

describe('a call that holds more', () => {
  it('does so as far as vouchers go, and then says what the next has to be', () => {
    const call = begin();
    expect(call.extend(150n)).toEqual({ ok: true });
    expect(call.extend(200n)).toMatchObject({
      ok: false,
      refusal: { code: 'insufficient_headroom', requiredCumulative: 200n, channel: { acceptedCumulative: 150n } },
    });
    expect(call.state()).toMatchObject({ reserved: 150n, charged: 0n });
    call.sign(220n);
    expect(call.extend(200n)).toEqual({ ok: true });
    expect(call.extend(180n)).toEqual({ ok: true });
    expect(call.state()).toMatchObject({ reserved: 200n });
  });

  it('is charged up to that, and frees all of it', () => {
    const call = begin();
    call.sign(400n);
    call.extend(333n);
    const { receipt } = books.run('charge', someCharge(call.callId, 300n));
    expect(receipt.amount).toBe(300n);
    expect(call.state()).toMatchObject({ reserved: 0n, charged: 300n });
    const other = someReserve({ channelId: call.channelId, cumulativeAmount: 500n }, 50n);
    books.run('reserve', other);
    expect(books.run('charge', someCharge(other.callId, 999n)).receipt.amount).toBe(50n);
  });

  it('counts in the model’s budget, to the wei, and gives it back', () => {
    // Three units count one wei each, rounded up: sums of parts would count more than the whole.
    const call = begin({ rate: 10n ** 18n / 3n, limitAgpt: 50n });
    expect(call.extend(149n)).toEqual({ ok: true });
    call.sign(900n);
    expect(call.extend(400n)).toMatchObject({ ok: false, refusal: { code: 'model_budget_exceeded' } });
    expect(call.state()).toMatchObject({ reserved: 149n });
    books.run('charge', someCharge(call.callId, 149n));
    const day = books.db
      .prepare('SELECT hex(charged_agpt) AS charged, hex(reserved_agpt) AS reserved FROM model_days')
      .get();
    expect([BigInt(`0x${String(day?.['charged'])}`), BigInt(`0x${String(day?.['reserved'])}`)]).toEqual([50n, 0n]);
  });

  it('counts in its scopes, to the unit, and gives it back', () => {
    const scope = { id: 'payer:0x01', window: 7, limit: 300n, endsAtSeconds: null };
    const spending = () => {
      const [row] = books.run('getSpending', [{ ...scope, token: testToken }]);
      return row && [row.charged, row.reserved];
    };
    const call = begin({}, [scope]);
    call.sign(900n);
    expect(call.extend(300n)).toEqual({ ok: true });
    expect(spending()).toEqual([0n, 300n]);
    expect(call.extend(301n)).toMatchObject({ ok: false, refusal: { code: 'scope_exceeded', scope } });
    expect([call.state()?.reserved, spending()]).toEqual([300n, [0n, 300n]]);
    for (const others of [[], [{ ...scope, window: 8 }], [scope, scope]]) {
      expect(() => call.extend(290n, others)).toThrow(expect.objectContaining({ code: 'internal_error' }));
    }
    books.run('charge', someCharge(call.callId, 250n));
    expect(spending()).toEqual([250n, 0n]);
  });

  it('has to be under way', () => {
    const call = begin();
    books.run('charge', someCharge(call.callId, 10n));
    expect(() => call.extend(150n)).toThrow(expect.objectContaining({ code: 'internal_error' }));
    const free = someReserve(null, 0n);
    books.run('reserve', free);
    const ask = { callId: free.callId, quote: 1n, budget: wideBudget(free.admittedAtMs), scopes: [] };
    expect(() => books.run('extendCall', ask)).toThrow(expect.objectContaining({ code: 'internal_error' }));
  });
});
