import { beforeAll, describe, expect, it } from 'vitest';
import { decodePayment } from '../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { requireTerms } from '../../server/payments/x402/require-terms.ts';
import { createLocalVerifier } from '../../server/payments/x402/verify-locally.ts';
import { signPayment, signV1Payment, terms } from '../../server/payments/x402/x402-fixture.ts';
import { createX402 } from '../../server/payments/x402/x402-method.ts';
import type { DirectPayment } from '../../server/ledger/ledger.ts';
import type { StateReader } from '../../server/settlement/read-payer-state.ts';
import { mutateJson, mutateText, type Random } from './mutate.ts';
import { fuzzRuns, fuzzTimeoutMs, runFuzz } from './run-fuzz.ts';

/** One payment of each kind, as its client signs it, and the header that it comes in. */
let seeds: [Seed, ...Seed[]];
interface Seed {
  header: 'payment-signature' | 'x-payment';
  json: object;
}
beforeAll(async () => {
  const header = 'payment-signature';
  seeds = [
    { header, json: await signPayment({ kind: 'eip3009' }) },
    { header, json: await signPayment({ kind: 'permit2-exact' }) },
    { header, json: await signPayment({ kind: 'permit2-upto' }) },
    { header: 'x-payment', json: await signV1Payment() },
  ];
});

interface Mutated {
  seed: Seed;
  value: string;
}

function mutate(random: Random): Mutated {
  const seed = random.pick(seeds);
  const value = encodeHeaderJson(seed.json);
  if (random.below(4) === 0) return { seed, value: mutateText(value, random) };
  return { seed, value: encodeHeaderJson(mutateJson(seed.json, random)) };
}

describe('a mutated x402 header', { timeout: fuzzTimeoutMs }, () => {
  it('is read or refused, and held against the terms', async () => {
    const counts = await runFuzz({
      input: mutate,
      check({ seed, value }) {
        const { payment } = requireTerms(terms, decodePayment(seed.header, value));
        expect(payment.recipient).toBe(terms.desk);
        expect(payment.maximum).toBeGreaterThan(0n);
        return 'on our terms';
      },
    });
    expect([...counts.keys()].toSorted()).toEqual(['malformed_credential', 'on our terms', 'payment_invalid']);
  });

  it('admits nothing but the payment that was signed, and settles nothing', async () => {
    // A rich payer on a chain where everything would go well: only the signature stands in the way.
    const answers: Readonly<Record<string, unknown>> = {
      ...{ balanceOf: 2n ** 200n, allowance: 2n ** 200n, authorizationState: false, nonceBitmap: 0n },
    };
    const client = {
      getCode: () => Promise.resolve(undefined),
      readContract: ({ functionName }: { functionName: string }) => Promise.resolve(answers[functionName]),
      call: () => Promise.resolve({ data: '0x' }),
    } as unknown as StateReader;
    const settled: string[] = [];
    const method = createX402({
      ...{ terms, verifier: createLocalVerifier({ client, terms }), nowMs: Date.now },
      ledger: { getPayment: () => Promise.resolve(undefined) },
      settlement: {
        settle(paymentId) {
          settled.push(paymentId);
          return Promise.reject(new Error('nothing is to be settled'));
        },
      },
    });
    const admit = async ({ header, value }: { header: string; value: string }): Promise<DirectPayment | undefined> => {
      const request = { headers: { [header]: value }, body: Buffer.from('{}'), path: '/', callId: 'call' };
      const admission = await method.admit({ ...request, quotes: () => undefined });
      return admission?.funds?.kind === 'direct' ? admission.funds.payment : undefined;
    };
    const signed = new Map<Seed, DirectPayment | undefined>();
    for (const seed of seeds) signed.set(seed, await admit({ ...seed, value: encodeHeaderJson(seed.json) }));
    const counts = await runFuzz({
      // A signature takes viem a millisecond or two.
      runs: Math.max(1_000, Math.ceil(fuzzRuns / 10)),
      parallel: 8,
      input: mutate,
      async check({ seed, value }) {
        expect(await admit({ ...seed, value })).toEqual(signed.get(seed));
        return 'as it was signed';
      },
    });
    expect(settled).toEqual([]);
    for (const outcome of ['as it was signed', 'malformed_credential', 'payment_invalid', 'invalid_signature']) {
      expect(counts.get(outcome), outcome).toBeGreaterThan(0);
    }
  });
});
