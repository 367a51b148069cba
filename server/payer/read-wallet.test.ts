import { expect, it } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { readWallet } from './read-wallet.ts';

const relayKey = Buffer.alloc(32, 7);
const key = `0x${'22'.repeat(32)}`;

it('the wallet is that of the environment, or the relay’s own', () => {
  const named = { provider: 'seller', walletKeyEnv: 'BUYER' };
  const own = { provider: 'seller', walletKeyEnv: undefined };
  expect(readWallet(own, { env: {}, relayKey })).toEqual({
    address: addressOfPrivateKey(relayKey),
    privateKey: relayKey,
  });
  expect(readWallet(named, { env: { BUYER: ` ${key}\n` }, relayKey }).address).toBe(
    addressOfPrivateKey(Buffer.alloc(32, 0x22)),
  );
  expect(() => readWallet(named, { env: {}, relayKey })).toThrow(/BUYER, which is not set/);
  expect(() => readWallet(named, { env: { BUYER: 'ab12' }, relayKey })).toThrow(
    expect.objectContaining({ code: 'invalid_configuration', message: expect.not.stringContaining('ab12') }),
  );
});
