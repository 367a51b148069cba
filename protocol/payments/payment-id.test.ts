import { keccak256, stringToHex } from 'viem';
import { describe, expect, it } from 'vitest';
import { paymentIdOf } from './payment-id.ts';

const identity = {
  kind: 'eip3009',
  contract: `0x${'Aa'.repeat(20)}`,
  payer: `0x${'bB'.repeat(20)}`,
  nonce: `0x${'0C'.repeat(32)}`,
} as const;

describe('the id of a direct payment', () => {
  it('is the hash of its lower-case parts', () => {
    const text = `eip3009:0x${'aa'.repeat(20)}:0x${'bb'.repeat(20)}:0x${'0c'.repeat(32)}`;
    expect(paymentIdOf(identity)).toBe(keccak256(stringToHex(text)));
  });

  it('differs with each part', () => {
    const other = `0x${'dd'.repeat(20)}` as const;
    const ids = [
      identity,
      { ...identity, kind: 'permit2-upto' as const },
      { ...identity, contract: other },
      { ...identity, payer: other },
      { ...identity, nonce: `0x${'dd'.repeat(32)}` as const },
    ].map(paymentIdOf);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is one for both kinds of Permit2, which share its nonces', () => {
    const [exact, upto] = (['permit2-exact', 'permit2-upto'] as const).map((kind) =>
      paymentIdOf({ ...identity, kind }),
    );
    expect(exact).toBe(upto);
  });

  it('takes no part of another length', () => {
    expect(() => paymentIdOf({ ...identity, nonce: '0x01' })).toThrow('32 bytes');
  });
});
