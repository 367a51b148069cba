import { describe, expect, it } from 'vitest';
import { decodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import { buildOffers } from './build-offers.ts';
import { plain, terms, usdc } from './x402-fixture.ts';

const context = {
  quotes: new Map([
    [usdc.address, 120n],
    [plain.address, 7n],
  ]),
  path: '/v1/chat/completions',
  message: 'Pay first.',
};
const read = (headers: Readonly<Record<string, string>> | undefined) =>
  decodeHeaderJson('PAYMENT-REQUIRED', headers?.['PAYMENT-REQUIRED'] ?? '') as {
    accepts: { scheme: string; asset: string; amount: string; extra: object }[];
  };

describe('the offers of x402', () => {
  it('are upto, then exact, for each token, at the quote', () => {
    const offers = buildOffers(terms, context);
    expect(offers?.offers).toBe(4);
    const required = read(offers?.headers(4));
    expect(required).toMatchObject({
      x402Version: 2,
      error: 'Pay first.',
      resource: { url: 'https://relay.example/v1/chat/completions' },
    });
    const upto = { assetTransferMethod: 'permit2', facilitatorAddress: terms.desk };
    expect(required.accepts.map(({ scheme, asset, amount, extra }) => [scheme, asset, amount, extra])).toEqual([
      ['upto', usdc.address, '120', upto],
      ['exact', usdc.address, '120', { name: 'USD Coin', version: '2' }],
      ['upto', plain.address, '7', upto],
      ['exact', plain.address, '7', { assetTransferMethod: 'permit2' }],
    ]);
    expect(required.accepts.every((offer) => 'payTo' in offer && offer.payTo === terms.desk)).toBe(true);
  });

  it('can be cut to the first ones', () => {
    const required = read(buildOffers(terms, context)?.headers(1));
    expect(required.accepts.map(({ scheme }) => scheme)).toEqual(['upto']);
  });

  it('need those of the first token at least: most clients know exact alone', () => {
    expect(buildOffers(terms, context)?.least).toBe(2);
    expect(buildOffers({ ...terms, hasUpto: false }, context)?.least).toBe(1);
  });

  it('are in the body for version 1: exact by EIP-3009, with the chain’s old name', () => {
    expect(buildOffers(terms, context)?.body).toMatchObject({
      x402Version: 1,
      accepts: [{ scheme: 'exact', network: 'base', maxAmountRequired: '120', asset: usdc.address, payTo: terms.desk }],
    });
    const local = buildOffers({ ...terms, chainId: 31_337 }, context)?.body;
    expect(local).toMatchObject({ accepts: [{ network: 'eip155:31337' }] });
    expect(buildOffers({ ...terms, tokens: [plain] }, context)).not.toHaveProperty('body');
  });

  it('leave out upto with a facilitator outside, and tokens that cannot be quoted', () => {
    const quotes = new Map([[usdc.address, 120n]]);
    const required = read(buildOffers({ ...terms, hasUpto: false }, { ...context, quotes })?.headers(1));
    expect(required.accepts.map(({ scheme, asset }) => [scheme, asset])).toEqual([['exact', usdc.address]]);
  });

  it('leave out exact of tokens without EIP-3009 where the chain has no proxy for it', () => {
    const required = read(buildOffers({ ...terms, hasUpto: false, hasPermit2Exact: false }, context)?.headers(4));
    expect(required.accepts.map(({ scheme, asset }) => [scheme, asset])).toEqual([['exact', usdc.address]]);
  });

  it('are none where nothing is quoted, or costs anything', () => {
    expect(buildOffers(terms, { ...context, quotes: undefined })).toBeUndefined();
    expect(buildOffers(terms, { ...context, quotes: new Map([[usdc.address, 0n]]) })).toBeUndefined();
  });
});
