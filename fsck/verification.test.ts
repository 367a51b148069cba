import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { ClaimList, Refuted } from './verification.ts';

describe('a list of claims', () => {
  it('tells what is wrong from what could not be checked', async () => {
    const claims = new ClaimList();
    const errors: [Error, boolean | null][] = [
      [new Refuted('no'), false],
      [new RangeError('no'), false],
      [new AutoPayError('verification_failed', 'no'), false],
      [new AutoPayError('invalid_encoding', 'no'), false],
      [new AutoPayError('invalid_signature', 'no'), false],
      [new AutoPayError('upstream_error', 'no'), null],
      [new TypeError('fetch failed'), null],
      [Object.assign(new Error('long'), { shortMessage: 'short' }), null],
    ];
    for (const [error] of errors) {
      expect(await claims.run('codec', () => Promise.reject(error))).toBe(false);
    }
    expect(claims.all.map(({ ok }) => ok)).toEqual(errors.map(([, ok]) => ok));
    expect(claims.all.at(-1)?.detail).toBe('not checked: short');
    expect(await claims.run('codec', () => undefined)).toBe(true);
  });

  it('is verified if nothing fails and all that is mandatory holds', () => {
    const claims = new ClaimList();
    claims.add('anchored', true, 'it is');
    claims.leave('price', 'no table');
    expect(claims.isVerified(['anchored'])).toBe(true);
    expect(claims.isVerified(['anchored', 'price'])).toBe(false);
    expect(claims.isVerified(['anchored', 'codec'])).toBe(false);
    claims.demand('codec', true, { detail: 'yes', otherwise: 'no' });
    expect(claims.isVerified(['anchored', 'codec'])).toBe(true);
    expect(() => claims.demand('included', false, { detail: 'yes', otherwise: 'no' })).toThrow(Refuted);
    claims.add('included', false, 'no');
    expect(claims.isVerified([])).toBe(false);
  });
});
