import { expect, it } from 'vitest';
import { nextVoucherAmount } from './next-voucher.ts';

it('a voucher covers what is spent, in flight and asked for, and is new', () => {
  expect(nextVoucherAmount({ spent: 10n, reserved: 5n, newest: 12n }, 4n)).toBe(19n);
  // A call that costs nothing, and one that an earlier voucher covers, need a voucher of their own.
  expect(nextVoucherAmount({ spent: 10n, reserved: 0n, newest: 19n }, 4n)).toBe(20n);
  expect(nextVoucherAmount({ spent: 10n, reserved: 0n, newest: 19n, required: 25n }, 4n)).toBe(25n);
});
