import { describe, expect, it } from 'vitest';
import { ReceiptHistory } from './receipt-history.ts';

const receipt = (sequence: number, runningTotal: bigint, amount = 10n) => ({
  callId: `call ${sequence}`,
  sequence,
  runningTotal,
  amount,
});

describe('a history of receipts', () => {
  it('takes them in any order', () => {
    const history = new ReceiptHistory();
    for (const sequence of [3, 1, 5, 2, 4]) expect(history.add(receipt(sequence, BigInt(sequence) * 10n))).toEqual([]);
    expect(history.add(receipt(3, 30n))).toEqual([]);
  });

  it('notices gaps and overlaps on both sides, and a number that is used twice', () => {
    const history = new ReceiptHistory();
    expect(history.add(receipt(2, 20n))).toEqual([]);
    expect(history.add(receipt(3, 31n)).join()).toContain('does not follow from receipt 2');
    expect(history.add(receipt(1, 9n, 9n)).join()).toContain('does not lead to receipt 2');
    expect(history.add({ ...receipt(2, 20n), callId: 'another' }).join()).toContain('is that of call');
    expect(new ReceiptHistory().add(receipt(1, 11n)).join()).toContain('does not follow from receipt 0');
    expect(history.add(receipt(0, 10n)).join()).toContain('no sequence number');
  });

  it('notices a second receipt of the same call that says another amount', () => {
    const history = new ReceiptHistory();
    expect(history.add(receipt(2, 20n))).toEqual([]);
    expect(history.add(receipt(2, 20n))).toEqual([]);
    expect(history.add(receipt(2, 21n, 11n))).toEqual(['an earlier receipt of the same call is over 10']);
  });

  it('forgets the oldest', () => {
    const history = new ReceiptHistory();
    for (let sequence = 1; sequence <= 3_000; sequence += 1) history.add(receipt(sequence, BigInt(sequence) * 10n));
    expect(history.add({ ...receipt(1, 10n), callId: 'another' })).toEqual([]);
    expect(history.add({ ...receipt(2_999, 29_990n), callId: 'another' })).toHaveLength(1);
  });
});
