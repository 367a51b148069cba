import { describe, expect, it } from 'vitest';
import { makeChannel, makeRequest } from '../../server/call/call-fixtures.ts';
import { readIdempotency } from '../../server/call/read-idempotency.ts';
import { rankMethods } from '../../server/payments/accept-payment.ts';
import { readApiKey } from '../../server/payments/key/read-api-key.ts';
import type { PaymentMethod } from '../../server/payments/payment-method.ts';
import { mutateText } from './mutate.ts';
import { fuzzTimeoutMs, runFuzz } from './run-fuzz.ts';

describe('mutated headers', { timeout: fuzzTimeoutMs }, () => {
  it('Idempotency-Key: a key of 1 to 255 printable characters, or a refusal', async () => {
    const body = Buffer.from('{"a":1}');
    const scope = makeChannel().channelId;
    const counts = await runFuzz({
      input: (random) => mutateText(random.pick(['4a1c9b1e-0000-4000-8000-1234567890ab', 'x'.repeat(250)]), random),
      check(idempotencyKey) {
        const read = readIdempotency(makeRequest(body, {}, { idempotencyKey }));
        expect(read).toMatchObject({ scope, key: idempotencyKey });
        expect(read?.key).toMatch(/^[\x20-\x7e]{1,255}$/);
        return 'a key';
      },
    });
    expect([...counts.keys()].toSorted()).toEqual(['a key', 'invalid_request']);
  });

  it('Accept-Payment: ranks some of the methods, each once, and refuses nothing', async () => {
    const methods = ['evm/session', 'x402', 'evm/charge', 'key', 'free'].map((name) => ({ name }) as PaymentMethod);
    const header = 'evm/session;q=0.5, x402/*;q=0.25, evm/charge, */*;q=0.001';
    const counts = await runFuzz({
      input: (random) => mutateText(header, random),
      check(acceptPayment) {
        const ranked = rankMethods(methods, acceptPayment);
        expect(ranked.length).toBeGreaterThan(0);
        expect(new Set(ranked).size).toBe(ranked.length);
        expect(ranked.every((method) => methods.includes(method))).toBe(true);
        return ranked === methods ? 'ignored' : 'ranked';
      },
    });
    expect([...counts.keys()].toSorted()).toEqual(['ignored', 'ranked']);
  });

  it('an API key is taken whole or not at all', async () => {
    const apiKey = `ap_sk_${'aB3_-'.repeat(8)}xyz`;
    await runFuzz({
      input: (random) => ({
        authorization: mutateText(`Bearer ${apiKey}`, random),
        'x-api-key': mutateText(apiKey, random),
      }),
      check(headers) {
        const read = readApiKey(headers);
        if (read === undefined) return 'none';
        expect(read.startsWith('ap_sk_')).toBe(true);
        expect(`${headers.authorization}\n${headers['x-api-key']}`).toContain(read);
        return 'a key';
      },
    });
  });
});
