import { describe, expect, it } from 'vitest';
import { encodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../protocol/mpp/challenge.ts';
import { encodeHeaderJson } from '../protocol/x402/header-json.ts';
import { readOffers } from './read-offers.ts';
import { doublePayee, offerOf, usdcOnBase } from './testing/seller-double.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const headerOf = (accepts: unknown[]) =>
  new Headers({
    'payment-required': encodeHeaderJson({ x402Version: 2, error: 'pay', resource: { url: 'u' }, accepts }),
  });

describe('the offers of a 402', () => {
  it('are read from the header of version 2', () => {
    const upto = offerOf({
      scheme: 'upto',
      extra: { assetTransferMethod: 'permit2', facilitatorAddress: doublePayee },
    });
    const { offers, reason } = readOffers(headerOf([offerOf(), upto]), bytes({}));
    expect(reason).toBe('pay');
    expect(offers.map(({ method, transfer, chainId, amount }) => [method, transfer, chainId, amount])).toEqual([
      ['x402/exact', 'eip3009', 8_453, 5_000n],
      ['x402/upto', 'permit2', 8_453, 5_000n],
    ]);
    expect(offers[0]).toMatchObject({
      asset: usdcOnBase,
      payTo: doublePayee,
      domain: { name: 'USD Coin', version: '2' },
    });
  });

  it('are read from the body of version 1, whose chains have names', () => {
    const { amount, ...rest } = offerOf();
    const v1 = (network: string) => ({ ...rest, network, maxAmountRequired: amount });
    const body = { x402Version: 1, error: 'pay', accepts: [v1('base'), v1('eip155:31337'), v1('base-nowhere')] };
    const { offers } = readOffers(new Headers(), bytes(body));
    expect(offers.map(({ chainId }) => chainId)).toEqual([8_453, 31_337, undefined]);
    expect(readOffers(new Headers(), bytes({ ...body, accepts: [{ ...v1('base'), scheme: 'upto' }] })).offers).toEqual(
      [],
    );
  });

  it('are read from challenges of evm/charge that take authorizations', () => {
    const challenge = (credentialTypes: string[], intent = 'charge') => {
      const methodDetails = { chainId: 8_453, credentialTypes };
      const request = encodeBase64UrlJson({ amount: '7', currency: usdcOnBase, recipient: doublePayee, methodDetails });
      return formatChallenge({ id: 'i', realm: 'r', method: 'evm', intent, request });
    };
    const header = [challenge(['authorization']), challenge(['hash']), challenge(['authorization'], 'session')].join(
      ', ',
    );
    const { offers } = readOffers(new Headers({ 'www-authenticate': header }), bytes({}));
    expect(offers).toHaveLength(1);
    expect(offers[0]).toMatchObject({ method: 'evm/charge', amount: 7n, payTo: doublePayee, validSeconds: 300 });
  });

  it.each([
    ['no base64', new Headers({ 'payment-required': '{}' }), bytes({})],
    ['no JSON', new Headers(), Buffer.from('<html>')],
    ['no list', headerOf('x' as never), bytes({ x402Version: 1 })],
    ['a scheme that nobody knows', headerOf([offerOf({ scheme: 'lottery' })]), bytes({})],
    ['a negative amount', headerOf([offerOf({ amount: '-1' })]), bytes({})],
    ['an amount beyond uint128', headerOf([offerOf({ amount: String(1n << 128n) })]), bytes({})],
    ['no address', headerOf([offerOf({ payTo: 'me' })]), bytes({})],
    ['a challenge that is cut', new Headers({ 'www-authenticate': 'Payment id="1", method="evm' }), bytes({})],
  ])('are none where there is %s', (_, headers, body) => {
    expect(readOffers(headers, body).offers).toEqual([]);
  });
});
