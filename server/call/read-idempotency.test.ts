import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { directPayment, makeChannel, makeRequest, unpaid } from './call-fixtures.ts';
import { readIdempotency } from './read-idempotency.ts';

const body = Buffer.from('{"a":1}');
const bodyDigest = `0x${createHash('sha256').update('/v1/chat/completions\n{"a":1}').digest('hex')}`;

describe('what makes a call the only one', () => {
  it('is its Idempotency-Key, within its payer’s own keys, for this path and body', () => {
    const request = makeRequest(body, {}, { idempotencyKey: 'k 1' });
    expect(readIdempotency(request)).toEqual({ scope: makeChannel().channelId, key: 'k 1', bodyDigest });
    const elsewhere = { ...request, path: '/v1/other' };
    expect(readIdempotency(elsewhere)?.bodyDigest).not.toBe(bodyDigest);
  });

  it('is nothing without a key; but a payment of its own is its own key', () => {
    expect(readIdempotency(makeRequest(body))).toBeNull();
    const payment = directPayment({ paymentId: `0x${'ab'.repeat(32)}`, payer: `0x${'cd'.repeat(20)}` });
    expect(readIdempotency(makeRequest(body, payment))).toEqual({
      scope: `0x${'cd'.repeat(20)}`,
      key: `0x${'ab'.repeat(32)}`,
      bodyDigest,
    });
    expect(readIdempotency(makeRequest(body, payment, { idempotencyKey: 'mine' }))).toMatchObject({ key: 'mine' });
  });

  it('is not an allowance, which each call uses anew', () => {
    const allowance = directPayment({ kind: 'allowance', available: 5n });
    expect(readIdempotency(makeRequest(body, allowance))).toBeNull();
    expect(readIdempotency(makeRequest(body, allowance, { idempotencyKey: 'k' }))).toMatchObject({ key: 'k' });
  });

  it('is nothing for whoever pays nothing', () => {
    expect(readIdempotency(makeRequest(body, unpaid, { idempotencyKey: 'k' }))).toBeNull();
  });

  it.each(['', 'k'.repeat(256), 'tab\there', 'ümlaut', 'line\nbreak'])('cannot be the key %j', (idempotencyKey) => {
    expect(() => readIdempotency(makeRequest(body, {}, { idempotencyKey }))).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'Idempotency-Key' }),
    );
  });
});
