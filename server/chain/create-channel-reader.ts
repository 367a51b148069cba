import { isAddressEqual, parseEventLogs } from 'viem';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import type { ChannelOnChain } from '../ledger/ledger.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** What the relay asks the escrow about channels. */
export interface ChannelReader {
  /**
   * A channel as the newest block has it; undefined if there is none. Of a channel of another payee the salt is not
   * looked for (zero): nobody here can collect it.
   * @param options.notBeforeBlock a block that is known to exist: an endpoint that has not seen it MUST NOT answer.
   * @throws AutoPayError `chain_unavailable`.
   */
  readChannel(channelId: Hex, options?: { notBeforeBlock?: number }): Promise<ChannelOnChain | undefined>;
  /**
   * The channel that a transaction opened for our payee.
   * @param expected.channelId the channel that the transaction MUST have opened.
   * @throws AutoPayError `channel_not_found` if it opened no such channel or is in no block yet, `transaction_reverted`
   * if it failed, `chain_unavailable`.
   */
  readOpenTransaction(transactionHash: Hex, expected: { channelId: Hex }): Promise<ChannelOnChain>;
}

/** What a reader works on. */
export interface ChannelReaderOptions {
  client: ChainClient;
  chainId: number;
  /** The escrow. */
  paymentChannels: Hex;
  /** The payee whose channels matter: AutoPayLLM. */
  payee: Hex;
  /** First block that may hold an event of the escrow. */
  deployedAtBlock: number;
  /** Salt of a channel that was seen before; saves the search. */
  findSalt: (channelId: Hex) => Promise<Hex | undefined>;
  /** The most blocks that the endpoint takes in one log query. */
  maxBlocksPerQuery: number;
}

/** A reader of the escrow's channels. */
export function createChannelReader(options: ChannelReaderOptions): ChannelReader {
  const { client, paymentChannels, payee } = options;

  async function readChannel(
    channelId: Hex,
    { knownSalt, notBeforeBlock = 0 }: { knownSalt?: Hex; notBeforeBlock?: number },
  ): Promise<ChannelOnChain | undefined> {
    // At a block by its number, so that what was read can be ordered.
    const newest = Number(await callChain('the newest block', () => client.getBlockNumber()));
    const readAtBlock = Math.max(newest, notBeforeBlock);
    const record = await callChain(`channel ${channelId}`, () =>
      client.readContract({
        address: paymentChannels,
        abi: paymentChannelsAbi,
        functionName: 'getChannel',
        args: [channelId],
        blockNumber: BigInt(readAtBlock),
      }),
    );
    if (record.deposit === 0n) return undefined;
    const isOurs = isAddressEqual(record.payee, payee);
    const salt = isOurs
      ? (knownSalt ?? (await options.findSalt(channelId)) ?? (await searchSalt(channelId, readAtBlock)))
      : zeroBytes32;
    const channel: ChannelOnChain = {
      channelId,
      payer: lower(record.payer),
      payee: lower(record.payee),
      token: lower(record.token),
      salt,
      authorizedSigner: lower(record.authorizedSigner),
      deposit: record.deposit,
      settled: record.settled,
      closeRequestedAt: Number(record.closeRequestedAt),
      finalized: record.finalized,
      readAtBlock,
    };
    if (isOurs) requireIdentity(channel, options);
    return channel;
  }

  /** Newest blocks first: a channel that is asked for was most likely just opened. */
  async function searchSalt(channelId: Hex, newest: number): Promise<Hex> {
    const { deployedAtBlock, maxBlocksPerQuery } = options;
    for (let end = newest; end >= deployedAtBlock; end -= maxBlocksPerQuery) {
      const start = Math.max(deployedAtBlock, end - maxBlocksPerQuery + 1);
      const events = await callChain(`the opening of channel ${channelId}`, () =>
        client.getContractEvents({
          address: paymentChannels,
          abi: paymentChannelsAbi,
          eventName: 'ChannelOpened',
          args: { channelId, payee },
          fromBlock: BigInt(start),
          toBlock: BigInt(end),
          strict: true,
        }),
      );
      const salt = events[0]?.args.salt;
      if (salt !== undefined) return salt;
    }
    throw new AutoPayError(
      'chain_unavailable',
      `The endpoint has no event that opened ${channelId}. Set chain.deployedAtBlock to the escrow's first block.`,
    );
  }

  return {
    readChannel: (channelId, readOptions = {}) => readChannel(lower(channelId), readOptions),
    async readOpenTransaction(transactionHash, expected) {
      const channelId = lower(expected.channelId);
      const opening = await readOpening(options, transactionHash, channelId);
      const channel = await readChannel(channelId, opening);
      if (channel !== undefined) return channel;
      throw new AutoPayError(
        'channel_not_found',
        `Channel ${channelId} is not on the chain. Wait for its block and try again.`,
      );
    },
  };
}

/** Salt and block of the ChannelOpened event of our escrow in a transaction that succeeded. */
async function readOpening(
  options: ChannelReaderOptions,
  transactionHash: Hex,
  channelId: Hex,
): Promise<{ knownSalt: Hex; notBeforeBlock: number }> {
  const receipt = await callChain(`transaction ${transactionHash}`, () =>
    options.client.getTransactionReceipt({ hash: transactionHash }).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'TransactionReceiptNotFoundError') return undefined;
      throw error;
    }),
  );
  if (receipt === undefined) {
    throw new AutoPayError(
      'channel_not_found',
      `Transaction ${transactionHash} is in no block yet. Try again in a moment.`,
    );
  }
  if (receipt.status !== 'success') {
    throw new AutoPayError(
      'transaction_reverted',
      `Transaction ${transactionHash} reverted and opened no channel. Open one anew.`,
    );
  }
  const logs = receipt.logs.filter((log) => isAddressEqual(log.address, options.paymentChannels));
  const events = parseEventLogs({ abi: paymentChannelsAbi, eventName: 'ChannelOpened', logs });
  const event = events.find((candidate) => candidate.args.channelId === channelId);
  if (event === undefined) {
    throw new AutoPayError(
      'channel_not_found',
      `Transaction ${transactionHash} did not open channel ${channelId} of this relay's escrow.`,
    );
  }
  return { knownSalt: event.args.salt, notBeforeBlock: Number(receipt.blockNumber) };
}

/** An id that does not follow from the record means that the endpoint lies, or that this is another escrow. */
function requireIdentity(channel: ChannelOnChain, options: ChannelReaderOptions): void {
  const { chainId, paymentChannels: escrow } = options;
  if (computeChannelId({ ...channel, escrow, chainId }) === channel.channelId) return;
  throw new AutoPayError(
    'chain_unavailable',
    `The endpoint's record of channel ${channel.channelId} does not fit its id. Check contracts.paymentChannels and chain.id.`,
  );
}

function lower(hex: string): Hex {
  return hex.toLowerCase() as Hex;
}
