import { describe, expect, it } from 'vitest';
import { chooseMethod, type MethodFacts } from './choose-method.ts';
import type { DirectMethod, Offer } from './read-offers.ts';

const offer = (method: DirectMethod, transfer: Offer['transfer'] = 'eip3009'): Offer => ({
  ...{ method, transfer, network: 'eip155:31337', chainId: 31_337, asset: `0x${'dc'.repeat(20)}`, amount: 100n },
  ...{ payTo: `0x${'de'.repeat(20)}`, domain: undefined, validSeconds: 60 },
  source: { version: 2, requirements: {}, resource: {} },
});
const all = [offer('x402/upto', 'permit2'), offer('x402/exact'), offer('evm/charge')];
const rich = { wei: 1n, balance: 1_000n, permit2Allowance: 1_000n };
const facts: MethodFacts = {
  ...{ hasChannel: false, hasSessionOffer: true, offers: all, funds: rich },
  ...{ quote: 100n, minimum: 50n, deposit: 500n, methods: undefined },
};
const chosen = (change: Partial<MethodFacts>) => chooseMethod({ ...facts, ...change }).method;

describe('where there is no open channel', () => {
  it.each<[string, Partial<MethodFacts>, string]>([
    ['upto, where Permit2 may take the quote', {}, 'x402/upto'],
    ['a channel, where it may not', { funds: { ...rich, permit2Allowance: 99n } }, 'evm/session'],
    ['a channel, where upto is not offered', { offers: [offer('x402/exact')] }, 'evm/session'],
    ['exact, without ether', { funds: { ...rich, permit2Allowance: 0n, wei: 0n } }, 'x402/exact'],
    ['exact, with less than the deposit', { funds: { ...rich, permit2Allowance: 0n, balance: 499n } }, 'x402/exact'],
    ['exact, with a deposit below the call', { funds: { ...rich, permit2Allowance: 0n }, deposit: 49n }, 'x402/exact'],
    ['exact, without a chain', { funds: undefined }, 'x402/exact'],
    ['evm/charge, where it is all that is left', { funds: undefined, offers: [offer('evm/charge')] }, 'evm/charge'],
    [
      'exact by EIP-3009 only, without a chain',
      { funds: undefined, offers: [offer('x402/exact', 'permit2'), offer('evm/charge')] },
      'evm/charge',
    ],
    ['a channel, where nothing can be used: opening it says why', { funds: { ...rich, balance: 0n } }, 'evm/session'],
  ])('%s', (_, change, method) => {
    expect(chosen(change)).toBe(method);
  });

  it('gives the offer with the method', () => {
    expect(chooseMethod(facts)).toEqual({ method: 'x402/upto', offer: all[0] });
  });
});

describe('what the owner names', () => {
  it('comes first, in that order, as far as it can be used', () => {
    expect(chosen({ methods: ['evm/charge', 'x402/exact'] })).toBe('evm/charge');
    expect(chosen({ methods: ['x402/upto', 'x402/exact'], funds: { ...rich, permit2Allowance: 0n } })).toBe(
      'x402/exact',
    );
    expect(chosen({ methods: ['evm/session', 'x402/upto'] })).toBe('evm/session');
    expect(chosen({ methods: ['x402/upto', 'evm/session'], hasChannel: true, funds: undefined, offers: [] })).toBe(
      'evm/session',
    );
  });

  it('is believed about Permit2 where there is no chain to ask', () => {
    expect(chosen({ methods: ['x402/upto'], funds: undefined })).toBe('x402/upto');
  });

  it('is all that is used: the error says what stands against each', () => {
    const methods = ['x402/upto', 'evm/charge'] as const;
    const funds = { ...rich, permit2Allowance: 0n };
    expect(() => chooseMethod({ ...facts, methods, funds, offers: all.slice(0, 2) })).toThrow(
      expect.objectContaining({
        code: 'no_usable_method',
        message: expect.stringContaining(
          'x402/upto: Permit2 may not take the token (approve it once); evm/charge: not offered',
        ),
      }),
    );
  });
});
