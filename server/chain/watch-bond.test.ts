import { encodeFunctionData } from 'viem';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { toHex, zeroAddress } from '../../protocol/bytes/hex.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { silentLog } from '../../test/support/open-test-relay.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { encodeClaims } from '../collection/encode-claims.ts';
import { createChainClient, type ChainClient } from './create-chain-client.ts';
import { createBondWatcher, type BondWatcher } from './watch-bond.ts';

let stack: ChainStack;
let client: ChainClient;
let said: [string, object][];
let watcher: BondWatcher;

beforeAll(async () => {
  stack = await deployStack();
  client = createChainClient({ rpcUrl: stack.chain.rpcUrl, chainId: stack.chain.chainId });
});
afterAll(() => stack?.stop());
beforeEach(() => {
  said = [];
  const { autoPayLLM, usdc } = stack.contracts;
  watcher = createBondWatcher({
    ...{ client, autoPayLLM },
    tokens: [{ symbol: 'USDC', address: usdc }],
    log: {
      ...silentLog,
      info: (facts) => said.push(['info', facts]),
      warn: (facts) => said.push(['warn', facts]),
    },
  });
});

/** The 500 USDC that a test stack deposits. */
const bond = 500_000_000n;

/** Disputes hold this much more of the bond, or less. */
function freeze(amount: bigint): Promise<void> {
  const { autoPayLLM, billingDisputes, usdc } = stack.contracts;
  const functionName = amount > 0n ? 'freezeBond' : 'thawBond';
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName, args: [usdc, amount > 0n ? amount : -amount] });
  return sendAs(stack.chain, { from: billingDisputes, to: autoPayLLM, data });
}

/** Collects from a channel, and books nothing of it. */
function collectUnbooked(channel: TestChannel, amount: bigint): Promise<void> {
  const { autoPayLLM, usdc } = stack.contracts;
  const identity = { payer: stack.payer, salt: channel.salt, authorizedSigner: zeroAddress };
  const claim = { channel: identity, maximum: amount, claimed: amount, signature: channel.sign(amount) };
  const args = [usdc, toHex(encodeClaims([claim]))] as const;
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'collect', args });
  return sendAs(stack.chain, { from: stack.relay, to: autoPayLLM, data });
}

describe('a bond watcher', () => {
  it('tells what the relay has put up, and what of it is free', async () => {
    expect(watcher.state()).toEqual({});
    await watcher.poll();
    const state = { amount: `${bond}`, frozen: '0', unreleased: '0', free: `${bond}` };
    expect(watcher.state()).toEqual({ USDC: state });
    await freeze(bond / 5n);
    await watcher.poll();
    expect(watcher.state()).toEqual({ USDC: { ...state, frozen: `${bond / 5n}`, free: `${(bond * 4n) / 5n}` } });
    await freeze(-bond / 5n);
    expect(said).toEqual([]);
  });

  it('warns once while the bond is too small for what was collected, and says when it is not', async () => {
    const channel = await stack.openChannel({ deposit: 1_000n });
    await collectUnbooked(channel, 1_000n);
    await watcher.poll();
    expect(said).toEqual([]);
    await freeze(bond - 600n);
    await watcher.poll();
    await watcher.poll();
    const facts = { symbol: 'USDC', missing: '400', free: '600', unbooked: '1000' };
    expect(said).toEqual([['warn', expect.objectContaining(facts)]]);
    await freeze(-(bond - 600n));
    await watcher.poll();
    expect(said.map(([level]) => level)).toEqual(['warn', 'info']);
  });
});
