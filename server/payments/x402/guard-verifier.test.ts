import { beforeEach, describe, expect, it } from 'vitest';
import { decodePayment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import type { TokenPayment } from '../../settlement/payment-payload.ts';
import { guardVerifier } from './guard-verifier.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import { requireTerms } from './require-terms.ts';
import { signPayment, terms, type PaymentToSign } from './x402-fixture.ts';

let nowMs: number;
/** Verifications that the chain was asked for, and how they are let go on. */
let asked: TokenPayment[];
let goOn: (() => void)[];
let holds: boolean;
let guarded: PaymentVerifier;
beforeEach(() => {
  nowMs = 0;
  asked = [];
  goOn = [];
  holds = false;
  const verifier: PaymentVerifier = {
    async verify(payment) {
      asked.push(payment);
      if (holds) await new Promise<void>((resolve) => goOn.push(resolve));
      return 7n;
    },
  };
  guarded = guardVerifier(verifier, { chainId: terms.chainId, nowMs: () => nowMs });
});

async function take(options: PaymentToSign = {}) {
  return requireTerms(terms, decodePayment('PAYMENT-SIGNATURE', encodeHeaderJson(await signPayment(options))));
}
const codeOf = (verifying: Promise<unknown>) =>
  verifying.then(
    () => 'verified',
    (error: { code: string }) => error.code,
  );
const garbage = `0x${'12'.repeat(64)}1b` as const;

describe.each(['eip3009', 'permit2-exact', 'permit2-upto'] as const)('a payment by %s', (kind) => {
  it('of the payer’s own key is verified however many come', async () => {
    const { payment, token } = await take({ kind });
    for (let count = 0; count < 60; count += 1) expect(await guarded.verify(payment, token)).toBe(7n);
    expect(asked).toHaveLength(60);
  });

  it('of another signature asks the chain 50 times, then 10 times a second', async () => {
    const { payment, token } = await take({ kind });
    const foreign = await take({ kind, amount: 6_000n });
    for (const signature of [garbage, '0x1234', foreign.payment.signature] as const) {
      const forged = { ...payment, signature };
      for (let count = asked.length; count < 50; count += 1) await guarded.verify(forged, token);
      expect(await codeOf(guarded.verify(forged, token))).toBe('rate_limit_exceeded');
    }
    expect(asked).toHaveLength(50);
    nowMs += 100;
    const forged = { ...payment, signature: garbage };
    const both = [guarded.verify(forged, token), guarded.verify(forged, token)];
    expect(await Promise.all(both.map(codeOf))).toEqual(['verified', 'rate_limit_exceeded']);
    // Who signs by a key is not held up by those who do not.
    expect(await guarded.verify(payment, token)).toBe(7n);
  });
});

it('verifies 64 at once, lets 256 wait, and serves them all', async () => {
  holds = true;
  const { payment, token } = await take();
  const all = Array.from({ length: 321 }, () => codeOf(guarded.verify(payment, token)));
  expect(await all[320]).toBe('overloaded');
  expect(asked).toHaveLength(64);
  goOn.shift()?.();
  await expect.poll(() => asked.length).toBe(65);
  holds = false;
  for (const resolve of goOn) resolve();
  expect(await Promise.all(all.slice(0, 320))).toEqual(Array<string>(320).fill('verified'));
  // All places are free again.
  holds = true;
  asked = [];
  goOn = [];
  const next = Array.from({ length: 65 }, () => guarded.verify(payment, token));
  await expect.poll(() => asked.length).toBe(64);
  holds = false;
  for (const resolve of goOn) resolve();
  await Promise.all(next);
});
