import { describe, expect, it } from 'vitest';
import { createRateLimits } from './rate-limits.ts';

const rates = { keyId: 'key_1', rpmLimit: 3, tpmLimit: null };

function setUp() {
  const clock = { ms: 1_000_000 };
  return { clock, limits: createRateLimits(() => clock.ms) };
}

describe('requests per minute', () => {
  it('are let in as a burst, then evenly', () => {
    const { clock, limits } = setUp();
    for (let call = 0; call < 3; call += 1) limits.enter(rates);
    expect(() => limits.enter(rates)).toThrow(
      expect.objectContaining({
        code: 'rate_limit_exceeded',
        facts: expect.objectContaining({ retryAfterSeconds: 20 }),
      }),
    );
    clock.ms += 19_999;
    expect(() => limits.enter(rates)).toThrow();
    clock.ms += 1;
    limits.enter(rates);
    expect(() => limits.enter(rates)).toThrow();
  });

  it('are those of one key, and a full minute at most', () => {
    const { clock, limits } = setUp();
    for (let call = 0; call < 3; call += 1) limits.enter(rates);
    limits.enter({ ...rates, keyId: 'key_2' });
    clock.ms += 3_600_000;
    for (let call = 0; call < 3; call += 1) limits.enter(rates);
    expect(() => limits.enter(rates)).toThrow();
  });

  it('that are lowered hold at once', () => {
    const { limits } = setUp();
    limits.enter({ ...rates, rpmLimit: 1_000 });
    limits.enter({ ...rates, rpmLimit: 1 });
    expect(() => limits.enter({ ...rates, rpmLimit: 1 })).toThrow();
  });

  it('are not limited without a limit', () => {
    const { limits } = setUp();
    for (let call = 0; call < 1_000; call += 1) limits.enter({ ...rates, rpmLimit: null });
  });
});

describe('tokens per minute', () => {
  const byTokens = { keyId: 'key_1', rpmLimit: null, tpmLimit: 600 };

  it('are counted when a call has ended, and overdrawn ones are waited for', () => {
    const { clock, limits } = setUp();
    limits.enter(byTokens);
    limits.enter(byTokens);
    limits.spend('key_1', 650);
    expect(() => limits.enter(byTokens)).toThrow(
      expect.objectContaining({ facts: { limit: 600, limitOf: 'tokens', retryAfterSeconds: 6 } }),
    );
    clock.ms += 5_200;
    limits.enter(byTokens);
  });

  it('refused calls use up no request', () => {
    const { clock, limits } = setUp();
    const both = { keyId: 'key_1', rpmLimit: 2, tpmLimit: 600 };
    limits.enter(both);
    limits.spend('key_1', 700);
    for (let call = 0; call < 5; call += 1) expect(() => limits.enter(both)).toThrow();
    clock.ms += 15_000;
    limits.enter(both);
  });
});
