import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { deployStack, type ChainStack, type TestChannel } from '../../test/support/deploy-stack.ts';
import { createChainClient } from './create-chain-client.ts';
import { createChannelReader, type ChannelReader } from './create-channel-reader.ts';
import type { Finality } from './finality.ts';

let stack: ChainStack;
let reader: ChannelReader;
let channel: TestChannel;
const unknownId = toHex(Buffer.alloc(32, 7));

function readerOf(
  overrides: { maxBlocksPerQuery?: number; paymentChannels?: Hex; rpcUrl?: string; finality?: Finality } = {},
): ChannelReader {
  const { chain, contracts } = stack;
  const { rpcUrl = chain.rpcUrl, ...rest } = overrides;
  return createChannelReader({
    client: createChainClient({ rpcUrl, chainId: chain.chainId }),
    chainId: chain.chainId,
    paymentChannels: contracts.paymentChannels,
    payee: contracts.autoPayLLM,
    deployedAtBlock: contracts.deployedAtBlock,
    maxBlocksPerQuery: 10_000,
    finality: { kind: 'blocks', count: 0 },
    findSalt: async () => undefined,
    ...rest,
  });
}

beforeAll(async () => {
  stack = await deployStack();
  reader = readerOf();
  channel = await stack.openChannel({ deposit: 5_000_000n });
});
afterAll(() => stack?.stop());

describe('a channel reader', () => {
  it('reads a channel with the salt of its opening', async () => {
    const expected = {
      channelId: channel.channelId,
      payer: stack.payer,
      payee: stack.contracts.autoPayLLM,
      token: stack.contracts.usdc,
      salt: channel.salt,
      authorizedSigner: zeroAddress,
      deposit: 5_000_000n,
      settled: 0n,
      closeRequestedAt: 0,
      finalized: false,
      readAtBlock: Number(await stack.chain.request('eth_blockNumber')),
    };
    expect(await reader.readChannel(channel.channelId)).toEqual(expected);
    // Block by block finds it too.
    expect(await readerOf({ maxBlocksPerQuery: 1 }).readChannel(channel.channelId)).toEqual(expected);
    expect(await reader.readOpenTransaction(channel.transactionHash, channel)).toEqual(expected);
  });

  it('counts a deposit once it is deep enough, as often as it is raised, and again after a reorganisation', async () => {
    const careful = readerOf({ finality: { kind: 'blocks', count: 2 } });
    const before = await stack.chain.request('evm_snapshot');
    const opened = await stack.openChannel({ deposit: 100n });
    const { channelId, transactionHash, salt } = opened;
    const pending = { seenDeposit: 100n, retryAfterSeconds: 4 };
    expect(await careful.readChannel(channelId)).toMatchObject({ deposit: 0n, pending });
    await stack.chain.mine(1);
    await expect(careful.readOpenTransaction(transactionHash, opened)).rejects.toMatchObject({
      code: 'channel_not_confirmed',
      facts: { channelId, seenDeposit: '100', retryAfterSeconds: 4 },
    });
    await stack.chain.mine(1);
    const confirmed = await careful.readOpenTransaction(transactionHash, opened);
    expect(confirmed).toMatchObject({ deposit: 100n });
    expect(confirmed.pending).toBeUndefined();

    await stack.approve(20n);
    const topUp = await stack.sendAsPayer({ functionName: 'topUp', args: [channelId, 20n] });
    expect(await careful.readChannel(channelId)).toMatchObject({ deposit: 100n, pending: { seenDeposit: 120n } });
    const raised = { channelId, amount: 20n };
    await expect(careful.readTopUpTransaction(topUp.transactionHash, raised)).rejects.toMatchObject({
      code: 'channel_not_confirmed',
    });
    await stack.chain.mine(2);
    expect(await careful.readTopUpTransaction(topUp.transactionHash, raised)).toMatchObject({ deposit: 120n });

    await stack.chain.request('evm_revert', [before]);
    expect(await careful.readChannel(channelId)).toBeUndefined();
    await stack.openChannel({ deposit: 7n, salt });
    expect(await careful.readChannel(channelId)).toMatchObject({ deposit: 0n, pending: { seenDeposit: 7n } });
  });

  it('says at which block it read, and does not answer from before a block that must exist', async () => {
    await stack.chain.mine(1);
    const newest = Number(await stack.chain.request('eth_blockNumber'));
    const { channelId } = channel;
    expect(await reader.readChannel(channelId, { notBeforeBlock: newest })).toMatchObject({ readAtBlock: newest });
    await expect(reader.readChannel(channelId, { notBeforeBlock: newest + 5 })).rejects.toMatchObject({
      code: 'chain_unavailable',
    });
  });

  it('knows no channel that was never opened', async () => {
    expect(await reader.readChannel(unknownId)).toBeUndefined();
  });

  it('reads the payee of a channel that is not ours, and does not look for its salt', async () => {
    const foreign = await stack.openChannel({ deposit: 1n, payee: stack.relay });
    expect(await reader.readChannel(foreign.channelId)).toMatchObject({ payee: stack.relay, salt: zeroBytes32 });
  });

  it('refuses a transaction that opened another channel, does not exist, or reverted', async () => {
    const { transactionHash } = channel;
    await expect(reader.readOpenTransaction(transactionHash, { channelId: unknownId })).rejects.toMatchObject({
      code: 'channel_not_found',
    });
    await expect(reader.readOpenTransaction(unknownId, channel)).rejects.toMatchObject({ code: 'channel_not_found' });
    const reverted = (await stack.chain
      .request('eth_sendTransaction', [
        {
          from: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
          to: stack.contracts.paymentChannels,
          data: '0xdeadbeef',
          gas: '0x30000',
        },
      ])
      .catch(async () => {
        const block = (await stack.chain.request('eth_getBlockByNumber', ['latest', false])) as { transactions: Hex[] };
        return block.transactions[0];
      })) as Hex;
    await expect(reader.readOpenTransaction(reverted, channel)).rejects.toMatchObject({ code: 'transaction_reverted' });
  });

  it('says that the chain cannot be asked, without the address of the endpoint', async () => {
    const unreachable = readerOf({ rpcUrl: 'http://127.0.0.1:1/secret-key' });
    const error: unknown = await unreachable.readChannel(unknownId).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'chain_unavailable' });
    expect((error as Error).message).not.toContain('secret-key');
  });
});
