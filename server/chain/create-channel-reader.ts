import { isAddressEqual, parseEventLogs } from 'viem';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import type { ChannelOnChain } from '../ledger/ledger.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import { createNotConfirmed, readFinalBlock, secondsToWait, type Finality, type PendingDeposit } from './finality.ts';
import { searchBack } from './search-back.ts';

/** What the relay asks the escrow about channels. */
export interface ChannelReader {
  /**
   * A channel as the newest block has it; undefined if there is none. Of a channel of another payee the salt is not
   * looked for (zero): nobody here can collect it.
   * @param options.notBeforeBlock a block that is known to exist: an endpoint that has not seen it MUST NOT answer.
   * @throws AutoPayError `chain_unavailable`.
   */
  readChannel(channelId: Hex, options?: { notBeforeBlock?: number }): Promise<ChannelReading | undefined>;
  /**
   * The channel that a transaction opened for our payee.
   * @param expected.channelId the channel that the transaction MUST have opened.
   * @throws AutoPayError `channel_not_found` if it opened no such channel or is in no block yet, `transaction_reverted`
   * if it failed, `channel_not_confirmed` if its deposit does not count yet, `chain_unavailable`.
   */
  readOpenTransaction(transactionHash: Hex, expected: { channelId: Hex }): Promise<ChannelReading>;
  /**
   * The channel of ours whose deposit a transaction raised.
   * @param expected.amount what it MUST have added, atomic units
   * @throws AutoPayError as `readOpenTransaction`.
   */
  readTopUpTransaction(transactionHash: Hex, expected: { channelId: Hex; amount: bigint }): Promise<ChannelReading>;
}

/** A channel as the newest block has it, but for its deposit: that is what counts by the chain's finality. */
export interface ChannelReading extends ChannelOnChain {
  /** While more lies in the escrow than counts. */
  pending?: PendingDeposit;
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
  /** When a deposit counts. */
  finality: Finality;
  /** Salt of a channel that was seen before; saves the search. */
  findSalt: (channelId: Hex) => Promise<Hex | undefined>;
  /** The most blocks that the endpoint takes in one log query. */
  maxBlocksPerQuery: number;
}

/** A reader of the escrow's channels. */
export function createChannelReader(options: ChannelReaderOptions): ChannelReader {
  const { client, payee } = options;

  async function readChannel(
    channelId: Hex,
    { knownSalt, notBeforeBlock = 0 }: { knownSalt?: Hex; notBeforeBlock?: number },
  ): Promise<ChannelReading | undefined> {
    // At a block by its number, so that what was read can be ordered.
    const newest = Number(await callChain('the newest block', () => client.getBlockNumber()));
    const readAtBlock = Math.max(newest, notBeforeBlock);
    const record = await readRecord(options, channelId, readAtBlock);
    if (record.deposit === 0n) return undefined;
    const confirmed = await readConfirmedDeposit(options, channelId, { ...record, readAtBlock });
    const isOurs = isAddressEqual(record.payee, payee);
    const salt = isOurs
      ? (knownSalt ?? (await options.findSalt(channelId)) ?? (await searchSalt(options, channelId, readAtBlock)))
      : zeroBytes32;
    const channel: ChannelReading = {
      channelId,
      payer: lower(record.payer),
      payee: lower(record.payee),
      token: lower(record.token),
      salt,
      authorizedSigner: lower(record.authorizedSigner),
      deposit: confirmed,
      settled: record.settled,
      closeRequestedAt: Number(record.closeRequestedAt),
      finalized: record.finalized,
      readAtBlock,
      ...(confirmed < record.deposit && {
        pending: { seenDeposit: record.deposit, retryAfterSeconds: secondsToWait(options.finality) },
      }),
    };
    if (isOurs) requireIdentity(channel, options);
    return channel;
  }

  async function requireChannel(channelId: Hex, seen: { knownSalt?: Hex; notBeforeBlock: number }) {
    const channel = await readChannel(channelId, seen);
    if (channel !== undefined) return channel;
    throw new AutoPayError(
      'channel_not_found',
      `Channel ${channelId} is not on the chain. Wait for its block and try again.`,
    );
  }

  return {
    readChannel: (channelId, readOptions = {}) => readChannel(lower(channelId), readOptions),
    async readOpenTransaction(transactionHash, expected) {
      const channelId = lower(expected.channelId);
      const channel = await requireChannel(channelId, await readOpening(options, transactionHash, channelId));
      if (channel.deposit === 0n && channel.pending) throw createNotConfirmed(channelId, channel.pending);
      return channel;
    },
    async readTopUpTransaction(transactionHash, expected) {
      const channelId = lower(expected.channelId);
      const seen = await readTopUp(options, transactionHash, { ...expected, channelId });
      const channel = await requireChannel(channelId, seen);
      if (channel.pending) throw createNotConfirmed(channelId, channel.pending);
      return channel;
    },
  };
}

function readRecord({ client, paymentChannels }: ChannelReaderOptions, channelId: Hex, block: number) {
  return callChain(`channel ${channelId}`, () =>
    client.readContract({
      ...{ address: paymentChannels, abi: paymentChannelsAbi, functionName: 'getChannel', args: [channelId] },
      blockNumber: BigInt(block),
    }),
  );
}

/** What was there at the newest final block and still is. */
async function readConfirmedDeposit(
  options: ChannelReaderOptions,
  channelId: Hex,
  newest: { deposit: bigint; readAtBlock: number },
): Promise<bigint> {
  const block = await readFinalBlock(options.client, options.finality, newest.readAtBlock);
  if (block >= newest.readAtBlock) return newest.deposit;
  if (block < options.deployedAtBlock) return 0n;
  const { deposit } = await readRecord(options, channelId, block);
  return deposit < newest.deposit ? deposit : newest.deposit;
}

/** Newest blocks first: a channel that is asked for was most likely just opened. */
async function searchSalt(options: ChannelReaderOptions, channelId: Hex, newest: number): Promise<Hex> {
  const { client, paymentChannels, payee, deployedAtBlock: oldest, maxBlocksPerQuery } = options;
  const event = {
    address: paymentChannels,
    abi: paymentChannelsAbi,
    eventName: 'ChannelOpened',
    args: { channelId, payee },
  } as const;
  const salt = await searchBack({ newest, oldest, maxBlocksPerQuery }, async (range) => {
    const [first] = await callChain(`the opening of channel ${channelId}`, () =>
      client.getContractEvents({ ...event, ...range, strict: true }),
    );
    return first?.args.salt;
  });
  if (salt !== undefined) return salt;
  throw new AutoPayError(
    'chain_unavailable',
    `The endpoint has no event that opened ${channelId}. Set chain.deployedAtBlock to the escrow's first block.`,
  );
}

/** Salt and block of the ChannelOpened event of our escrow in a transaction that succeeded. */
async function readOpening(
  options: ChannelReaderOptions,
  transactionHash: Hex,
  channelId: Hex,
): Promise<{ knownSalt: Hex; notBeforeBlock: number }> {
  const { logs, block } = await readEscrowLogs(options, transactionHash, 'opened no channel. Open one anew');
  const events = parseEventLogs({ abi: paymentChannelsAbi, eventName: 'ChannelOpened', logs });
  const event = events.find((candidate) => candidate.args.channelId === channelId);
  if (event === undefined) {
    throw new AutoPayError(
      'channel_not_found',
      `Transaction ${transactionHash} did not open channel ${channelId} of this relay's escrow.`,
    );
  }
  return { knownSalt: event.args.salt, notBeforeBlock: block };
}

/** Block of the ChannelToppedUp event of our escrow, of this amount, in a transaction that succeeded. */
async function readTopUp(
  options: ChannelReaderOptions,
  transactionHash: Hex,
  { channelId, amount }: { channelId: Hex; amount: bigint },
): Promise<{ notBeforeBlock: number }> {
  const { logs, block } = await readEscrowLogs(options, transactionHash, 'added nothing. Top the channel up anew');
  const events = parseEventLogs({ abi: paymentChannelsAbi, eventName: 'ChannelToppedUp', logs });
  if (!events.some(({ args }) => args.channelId === channelId && args.amount === amount)) {
    throw new AutoPayError(
      'channel_not_found',
      `Transaction ${transactionHash} did not add ${amount} to channel ${channelId} of this relay's escrow.`,
    );
  }
  return { notBeforeBlock: block };
}

/**
 * What the escrow logged in a transaction.
 * @param nothing what it means if the transaction reverted, for the message
 * @throws AutoPayError `channel_not_found` if it is in no block yet, `transaction_reverted`, `chain_unavailable`.
 */
async function readEscrowLogs(options: ChannelReaderOptions, transactionHash: Hex, nothing: string) {
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
    throw new AutoPayError('transaction_reverted', `Transaction ${transactionHash} reverted and ${nothing}.`);
  }
  const logs = receipt.logs.filter((log) => isAddressEqual(log.address, options.paymentChannels));
  return { logs, block: Number(receipt.blockNumber) };
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
