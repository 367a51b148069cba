import { decodeFunctionData } from 'viem';
import { beforeEach, describe, expect, it } from 'vitest';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { fundFromNode } from './fund-from-node.ts';
import { startChainDouble, type ChainDouble } from './testing/chain-double.ts';
import { doubleTerms } from './testing/relay-double.ts';
import { walletAddress } from './testing/seed-wallet.ts';

const { chainId, token } = doubleTerms;
const deployer = `0x${'de'.repeat(20)}` as const;
let chain: ChainDouble;
beforeEach(async () => {
  chain = await startChainDouble();
  return () => chain.close();
});

const fund = (change: { chainId?: number; rpcUrl?: string } = {}) =>
  fundFromNode({
    rpcUrl: change.rpcUrl ?? chain.rpcUrl,
    offer: { chainId: change.chainId ?? chainId },
    token,
    to: walletAddress,
    amount: 2_500_000n,
  });

describe('the node of a simulated chain', () => {
  it('mints tokens for the wallet, and sends ether', async () => {
    chain.accounts.push(deployer);
    expect(await fund()).toBe(true);
    const [mint, ether] = chain.sent;
    expect(mint?.to).toBe(token.address);
    const { functionName, args } = decodeFunctionData({ abi: fiatTokenAbi, data: mint?.data ?? '0x' });
    expect([functionName, String(args?.[0]).toLowerCase(), args?.[1]]).toEqual(['mint', walletAddress, 2_500_000n]);
    expect(ether).toMatchObject({ to: walletAddress, value: '0xde0b6b3a7640000' });
    expect(chain.sent.map(({ from }) => from.toLowerCase())).toEqual([deployer, deployer]);
  });

  it('does nothing without an account', async () => {
    expect(await fund()).toBe(false);
    expect(chain.sent).toEqual([]);
  });

  it('does nothing where its account may not mint this token', async () => {
    chain.accounts.push(deployer);
    chain.reverting.add('mint(address,uint256)');
    expect(await fund()).toBe(false);
    expect(chain.sent).toEqual([]);
  });

  it('does nothing, and is not even asked, where the relay is on another chain', async () => {
    chain.accounts.push(deployer);
    expect(await fund({ chainId: 8_453, rpcUrl: 'http://127.0.0.1:1' })).toBe(false);
  });

  it('that does not answer is not taken for one that has nothing', async () => {
    await expect(fund({ rpcUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'chain_unavailable' });
  });
});
