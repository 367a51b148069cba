import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBalances } from './read-balances.ts';
import { startChainDouble, type ChainDouble } from './testing/chain-double.ts';
import { doubleTerms } from './testing/relay-double.ts';
import { walletAddress } from './testing/seed-wallet.ts';

let chain: ChainDouble;
beforeAll(async () => {
  chain = await startChainDouble();
  chain.answers.set('balanceOf(address)', 2_500_000);
});
afterAll(() => chain.close());

const { chainId, token } = doubleTerms;

it('reads ether and each token that the relay takes', async () => {
  const other = { ...token, symbol: 'AGPT', address: `0x${'a9'.repeat(20)}` } as const;
  const offer = { chainId, tokens: [token, other] };
  expect(await readBalances({ rpcUrl: chain.rpcUrl, offer, address: walletAddress })).toEqual({
    wei: 1n,
    tokens: [
      { ...token, amount: 2_500_000n },
      { ...other, amount: 2_500_000n },
    ],
  });
});

it.each([
  [() => chain.rpcUrl, 8_453, 'chain 31337, the relay on 8453'],
  [() => 'http://127.0.0.1:1', chainId, 'does not answer'],
])('says so where the chain is another one, or none', async (rpcUrl, relayChainId, message) => {
  const reading = readBalances({
    rpcUrl: rpcUrl(),
    offer: { chainId: relayChainId, tokens: [token] },
    address: walletAddress,
  });
  await expect(reading).rejects.toMatchObject({ code: 'chain_unavailable', message: expect.stringContaining(message) });
});
