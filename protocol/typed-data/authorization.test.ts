import { encodeAbiParameters, encodePacked, hashTypedData, keccak256, parseAbiParameters } from 'viem';
import { expect, it } from 'vitest';
import { toHex, type Hex } from '../bytes/hex.ts';
import {
  challengeNonce,
  openingNonce,
  receiveAuthorizationDigest,
  receiveAuthorizationTypes,
  topUpNonce,
  transferAuthorizationDigest,
} from './authorization.ts';

const address = (byte: string): Hex => `0x${byte.repeat(20)}`;
const bytes32 = (byte: string): Hex => `0x${byte.repeat(32)}`;

it('an authorization has the digest that wallets sign', () => {
  const domain = { name: 'USD Coin', version: '2', chainId: 8453, verifyingContract: address('c1') };
  const message = {
    ...{ from: address('a1'), to: address('e1'), value: 2n ** 200n },
    ...{ validAfter: 0n, validBefore: 2n ** 255n, nonce: bytes32('0f') },
  };
  const types = receiveAuthorizationTypes;
  const expected = hashTypedData({ domain, types, primaryType: 'ReceiveWithAuthorization', message });
  expect(toHex(receiveAuthorizationDigest(domain, message))).toBe(expected);
  const transfer = { TransferWithAuthorization: types.ReceiveWithAuthorization };
  expect(toHex(transferAuthorizationDigest(domain, message))).toBe(
    hashTypedData({ domain, types: transfer, primaryType: 'TransferWithAuthorization', message }),
  );
});

it('nonces are those that the escrow computes', () => {
  const channel = {
    ...{ payer: address('a1'), payee: address('b1'), token: address('c1') },
    ...{ salt: bytes32('55'), authorizedSigner: address('d1') },
  };
  const opening = encodeAbiParameters(parseAbiParameters('address, address, address, bytes32, address'), [
    ...([channel.payer, channel.payee, channel.token, channel.salt, channel.authorizedSigner] as const),
  ]);
  expect(openingNonce(channel)).toBe(keccak256(opening));
  const topUp = { channelId: bytes32('c0'), additionalDeposit: 2n ** 127n, from: address('a1'), salt: bytes32('66') };
  const { channelId, additionalDeposit, from, salt } = topUp;
  const toppingUp = encodeAbiParameters(parseAbiParameters('bytes32, uint128, address, bytes32'), [
    ...([channelId, additionalDeposit, from, salt] as const),
  ]);
  expect(topUpNonce(topUp)).toBe(keccak256(toppingUp));
});

it('a charge’s nonce is that of its challenge', () => {
  const expected = keccak256(encodePacked(['string', 'string'], ['kM9x', 'api.example']));
  expect(challengeNonce({ id: 'kM9x', realm: 'api.example' })).toBe(expected);
});
