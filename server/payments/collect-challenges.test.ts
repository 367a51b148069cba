import { describe, expect, it } from 'vitest';
import { collectChallenges, maxOfferBytes } from './collect-challenges.ts';
import { createFreeMethod } from './free/free-method.ts';
import type { Challenge, ChallengeContext, PaymentMethod } from './payment-method.ts';

const context: ChallengeContext = { quotes: new Map([['0x01', 3n]]), path: '/v1/chat/completions', message: 'Pay.' };

function method(name: string, challenge: Partial<Challenge>): PaymentMethod {
  const whole = { offers: 1, headers: () => ({}), facts: {}, ...challenge };
  return { ...createFreeMethod(), name, challenge: () => whole };
}

/** Offers of `bytes` each, listed in one header. */
function offering(name: string, header: string, { offers, bytes }: { offers: number; bytes: number }): PaymentMethod {
  const headers = (count: number) => ({ [header]: Array<string>(count).fill(name.padEnd(bytes, '.')).join(', ') });
  return method(name, { offers, headers, body: { [name]: offers } });
}

/** How many offers of each method the headers have. */
function count(headers: Readonly<Record<string, string>>, names: string[]): number[] {
  const all = Object.values(headers).join();
  return names.map((name) => all.split(`${name}.`).length - 1);
}

describe('a 402', () => {
  it('has the offers of all methods: one header lists those of several, the first one’s facts and members win', () => {
    const one = method('one', {
      headers: () => ({ 'WWW-Authenticate': 'One' }),
      body: { version: 1, accepts: ['a'] },
      facts: { quote: '3', toys: 1 },
    });
    const other = method('other', {
      headers: () => ({ 'WWW-Authenticate': 'Other', 'PAYMENT-REQUIRED': 'x' }),
      body: { version: 2 },
      facts: { toys: 2, more: 5 },
    });
    expect(collectChallenges([one, other, createFreeMethod()], context)).toEqual({
      headers: { 'WWW-Authenticate': 'One, Other', 'PAYMENT-REQUIRED': 'x' },
      body: { version: 1, accepts: ['a'] },
      facts: { quote: '3', toys: 1, more: 5 },
    });
  });

  it('goes by Accept-Payment', () => {
    const methods = ['evm/session', 'evm/charge'].map((name) =>
      method(name, { headers: () => ({ 'WWW-Authenticate': name }) }),
    );
    const { headers } = collectChallenges(methods, context, 'evm/charge, evm/session;q=0.1');
    expect(headers).toEqual({ 'WWW-Authenticate': 'evm/charge, evm/session' });
    expect(collectChallenges(methods, context, 'evm/charge').headers).toEqual({ 'WWW-Authenticate': 'evm/charge' });
  });

  it('leaves out last offers of whoever has most, until its headers fit; the body keeps them all', () => {
    const methods = [
      offering('a', 'WWW-Authenticate', { offers: 2, bytes: 700 }),
      offering('b', 'PAYMENT-REQUIRED', { offers: 4, bytes: 500 }),
      offering('c', 'WWW-Authenticate', { offers: 2, bytes: 700 }),
    ];
    const { body, headers } = collectChallenges(methods, context);
    expect(count(headers, ['a', 'b', 'c'])).toEqual([2, 2, 1]);
    expect(body).toEqual({ a: 2, b: 4, c: 2 });
    const bytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
    expect(bytes).toBeLessThanOrEqual(maxOfferBytes);
    // Only as few as needed: one more would not have fitted.
    expect(bytes + 500).toBeGreaterThan(maxOfferBytes);
  });

  it('leaves a method what it needs at least, while another has more than that', () => {
    const long = offering('a', 'WWW-Authenticate', { offers: 4, bytes: 700 });
    const body = { a: 4, b: 8 };
    const needing = { ...body, offers: 8, least: 2, facts: {} };
    const headers = (count: number) => ({ 'PAYMENT-REQUIRED': Array<string>(count).fill('b'.padEnd(500, '.')).join() });
    const methods = [long, method('b', { ...needing, headers })];
    expect(count(collectChallenges(methods, context).headers, ['a', 'b'])).toEqual([3, 2]);
    const longer = offering('a', 'WWW-Authenticate', { offers: 1, bytes: 2_700 });
    expect(count(collectChallenges([longer, ...methods.slice(1)], context).headers, ['a', 'b'])).toEqual([1, 1]);
  });

  it('leaves out the later methods where one offer of each is too much, and has none that never fits', () => {
    const methods = ['a', 'b', 'c'].map((name) => offering(name, 'WWW-Authenticate', { offers: 1, bytes: 1_500 }));
    expect(count(collectChallenges(methods, context).headers, ['a', 'b', 'c'])).toEqual([1, 1, 0]);
    const tooLong = offering('a', 'WWW-Authenticate', { offers: 1, bytes: 5_000 });
    expect(collectChallenges([tooLong], context)).toMatchObject({ headers: {}, body: { a: 1 } });
  });
});
