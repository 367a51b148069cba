import { describe, expect, it } from 'vitest';
import { encodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { chainOfCredential, chainOfX402 } from './chain-of-payment.ts';

const address = `0x${'11'.repeat(20)}`;
const signed = {
  signature: `0x${'00'.repeat(65)}`,
  authorization: {
    ...{ from: address, to: address, value: '1', validAfter: '0', validBefore: '1', nonce: `0x${'00'.repeat(32)}` },
  },
};
const v1 = (network: string) => encodeHeaderJson({ x402Version: 1, scheme: 'exact', network, payload: signed });
const v2 = (network: string) => {
  const accepted = {
    scheme: 'exact',
    network,
    asset: address,
    amount: '1',
    payTo: address,
    maxTimeoutSeconds: 1,
    extra: {},
  };
  return encodeHeaderJson({ x402Version: 2, accepted, payload: signed });
};

describe('the chain of an x402 payment', () => {
  it.each([
    ['CAIP-2', { 'payment-signature': v2('eip155:8453') }, 8453],
    ['a name of v1', { 'x-payment': v1('base') }, 8453],
    ['CAIP-2 in v1', { 'x-payment': v1('eip155:31337') }, 31337],
    ['another kind of network', { 'payment-signature': v2('solana:mainnet') }, undefined],
    ['a number that is none', { 'payment-signature': v2(`eip155:${'9'.repeat(40)}`) }, undefined],
    ['a header that is no payment', { 'payment-signature': 'AAAA' }, undefined],
    ['no header', {}, undefined],
  ])('by %s', (_, headers, chainId) => {
    expect(chainOfX402(headers)).toBe(chainId);
  });
});

it.each([[{}], [{ authorization: 'Bearer x' }], [{ authorization: 'Payment !' }], [{ authorization: 'Payment e30' }]])(
  'the headers %j name no chain',
  (headers) => {
    expect(chainOfCredential(headers)).toBeUndefined();
  },
);
