import { expect, it } from 'vitest';
import { decodeHeaderJson, encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { address } from './payer-fixture.ts';
import { readX402Offers, type ExactPayload } from './read-x402-offers.ts';

const offer = {
  ...{ scheme: 'exact', network: 'eip155:8453', asset: address('C1'), amount: '9', payTo: address('b1') },
  ...{ maxTimeoutSeconds: 60, extra: { name: 'USD Coin', version: '2' } },
};
const payload: ExactPayload = {
  signature: '0x01',
  authorization: { from: '0x1', to: '0x2', value: '9', validAfter: '0', validBefore: '1', nonce: '0x3' },
};

it('offers of version 2 come in the header, or else in the body, and are echoed as they came', () => {
  const required = { x402Version: 2, resource: { url: 'u' }, accepts: [offer, { ...offer, scheme: 'upto' }] };
  const inHeader = readX402Offers({ headers: { 'payment-required': encodeHeaderJson(required) }, body: null });
  const inBody = readX402Offers({ headers: {}, body: required });
  for (const offers of [inHeader, inBody]) {
    expect(offers).toMatchObject([{ version: 2, asset: address('c1'), amount: 9n, maxTimeoutSeconds: 60 }]);
    const { name, value } = offers[0]?.pay(payload) ?? { name: '', value: '' };
    expect(name).toBe('payment-signature');
    const sent = { x402Version: 2, resource: required.resource, accepted: offer, payload };
    expect(decodeHeaderJson(name, value)).toEqual(sent);
  }
});

it('what is malformed, of another kind, or endless is passed over', () => {
  const accepts = [
    ...[null, {}, { ...offer, amount: 9 }, { ...offer, amount: '-9' }, { ...offer, payTo: '0x1' }],
    ...[
      { ...offer, maxTimeoutSeconds: 1e9 },
      { ...offer, extra: { assetTransferMethod: 'permit2' } },
    ],
  ];
  expect(readX402Offers({ headers: {}, body: { x402Version: 2, accepts } })).toEqual([]);
  const many = Array.from({ length: 65 }, () => offer);
  for (const body of [null, 'x', { x402Version: 3, accepts: [offer] }, { x402Version: 2, accepts: many }]) {
    expect(readX402Offers({ headers: { 'payment-required': '%' }, body })).toEqual([]);
  }
});
