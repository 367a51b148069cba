import { describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { chooseOffer } from './choose-offer.ts';
import type { Offer } from './read-offers.ts';
import { chainIdOf, knownUsdc, type SellerAsset } from './seller-assets.ts';

const token = (byte: string): Hex => `0x${byte.repeat(20)}`;
const asset = (chainId: number, address: Hex): SellerAsset => ({ chainId, address, symbol: 'T', decimals: 6 });
const offer = (change: Partial<Offer> = {}): Offer => ({
  ...{ method: 'x402/exact', network: 'eip155:1', chainId: 1, asset: token('aa'), amount: 10n, payTo: token('99') },
  ...{ transfer: 'eip3009', domain: { name: 'Said', version: '1' }, validSeconds: 60 },
  source: { version: 2, requirements: {}, resource: {} },
  ...change,
});
const assets = [asset(1, token('aa')), asset(2, token('bb'))];
const choose = (offers: Offer[], permit2 = false) => chooseOffer(offers, { assets, permit2 });
const refusedWith = (offers: Offer[], code: string) =>
  expect(() => choose(offers)).toThrow(expect.objectContaining({ code }));

describe('of a stranger’s offers', () => {
  it('the cheapest in the first token of the owner’s is taken', () => {
    const other = offer({ chainId: 2, network: 'eip155:2', asset: token('bb'), amount: 1n });
    expect(choose([other, offer({ amount: 12n }), offer({ amount: 11n })]).offer.amount).toBe(11n);
    expect(choose([other]).asset.chainId).toBe(2);
  });

  it('upto is taken before exact at the same price, where Permit2 may be used', () => {
    const upto = offer({ method: 'x402/upto', transfer: 'permit2' });
    const charge = offer({ method: 'evm/charge' });
    expect(
      [choose([charge, offer(), upto], true), choose([charge, offer(), upto])].map((taken) => taken.offer.method),
    ).toEqual(['x402/upto', 'x402/exact']);
  });

  it('the owner’s EIP-712 domain counts, not the seller’s', () => {
    const domain = { name: 'Known', version: '2' };
    const known = [{ ...asset(1, token('aa')), domain }];
    expect(chooseOffer([offer()], { assets: known, permit2: false }).offer.domain).toEqual(domain);
    expect(choose([offer()]).offer.domain).toEqual({ name: 'Said', version: '1' });
  });

  it('none is taken on another chain, in another token, or by Permit2 without leave', () => {
    refusedWith([offer({ chainId: 3 }), offer({ chainId: undefined })], 'network_not_allowed');
    refusedWith([offer({ asset: token('bb') })], 'asset_not_allowed');
    refusedWith([offer({ transfer: 'permit2' })], 'no_usable_method');
  });
});

describe('what is known of tokens', () => {
  it('is USDC by EIP-3009, with its domain, on Base and elsewhere', () => {
    const known = knownUsdc();
    expect(known).toContainEqual({
      ...{ chainId: 8_453, address: '0x833589fcd6edb6e08f4c7c32d4f71b54bda02913', symbol: 'USDC', decimals: 6 },
      domain: { name: 'USD Coin', version: '2' },
    });
    expect(known.every(({ symbol }) => symbol === 'USDC')).toBe(true);
  });

  it.each([
    ['eip155:8453', 8_453],
    ['eip155:0', undefined],
    ['eip155:9999999999999999', undefined],
    ['solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp', undefined],
    ['base', undefined],
  ])('a chain’s number is read from %s', (network, id) => {
    expect(chainIdOf(network)).toBe(id);
  });
});
