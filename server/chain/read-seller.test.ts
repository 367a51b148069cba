import { expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { isRelayOf, readAuthorization } from './read-seller.ts';

const address = (byte: string): Hex => `0x${byte.repeat(20)}`;
const nonce: Hex = `0x${'0f'.repeat(32)}`;
type Client = Parameters<typeof readAuthorization>[0];

it('an authorization is read at the block whose time is told', async () => {
  const asked: object[] = [];
  const client = {
    getBlock: async () => ({ number: 7n, timestamp: 1_000n }),
    async readContract({ address: to, args, blockNumber }: { address: Hex; args: unknown; blockNumber: bigint }) {
      asked.push({ to, args, blockNumber });
      return true;
    },
  } as unknown as Client;
  const place = { token: address('c1'), payer: address('a1'), nonce };
  expect(await readAuthorization(client, place)).toEqual({ isUsed: true, atSeconds: 1_000 });
  expect(asked).toEqual([{ to: address('c1'), args: [address('a1'), nonce], blockNumber: 7n }]);
  const gone = { getBlock: () => Promise.reject(new Error('down')) } as unknown as Client;
  await expect(readAuthorization(gone, place)).rejects.toMatchObject({ code: 'chain_unavailable' });
});

it('who the relay of a seller is, its own contract says', async () => {
  const client = {
    async readContract({ args, functionName }: { args?: [Hex, Hex]; functionName: string }) {
      return functionName === 'RELAY_ROLE' ? nonce : args?.[0] === nonce && args[1] === address('d1');
    },
  } as unknown as Client;
  expect(await isRelayOf(client, { payee: address('b1'), signer: address('d1') })).toBe(true);
  expect(await isRelayOf(client, { payee: address('b1'), signer: address('d2') })).toBe(false);
});
