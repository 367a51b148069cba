import { describe, expect, it } from 'vitest';
import { formatCredential, parseCredential } from './credential.ts';
import { sessionPayloadSchema } from './session-schemas.ts';

const challenge = { id: 'x', realm: 'r', method: 'evm', intent: 'session', request: 'e30' };

describe('credentials', () => {
  it('survive the header', () => {
    const credential = { challenge, payload: { action: 'voucher', cumulativeAmount: '1' } };
    expect(parseCredential(formatCredential(credential))).toEqual(credential);
  });

  it('leave other schemes alone and refuse what is malformed', () => {
    expect(parseCredential('Bearer abc')).toBeUndefined();
    for (const bad of ['Payment', 'Payment ', 'Payment {}', 'Payment e30', `Payment ${'a'.repeat(20_000)}`]) {
      expect(() => parseCredential(bad), bad).toThrow(expect.objectContaining({ code: 'malformed_credential' }));
    }
  });

  it('bound every amount to uint128 and every hash to its length', () => {
    const voucher = {
      action: 'voucher',
      channelId: `0x${'ab'.repeat(32)}`,
      cumulativeAmount: '340282366920938463463374607431768211455',
      signature: `0x${'cd'.repeat(65)}`,
    };
    expect(sessionPayloadSchema.safeParse(voucher).success).toBe(true);
    const bad = ['340282366920938463463374607431768211456', '-1', '01', '1e3', '', ' 1', '1.0', 1];
    for (const cumulativeAmount of bad) {
      expect(sessionPayloadSchema.safeParse({ ...voucher, cumulativeAmount }).success, String(cumulativeAmount)).toBe(
        false,
      );
    }
    expect(sessionPayloadSchema.safeParse({ ...voucher, channelId: '0xab' }).success).toBe(false);
    expect(sessionPayloadSchema.safeParse({ ...voucher, action: 'steal' }).success).toBe(false);
  });
});
