import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { larger } from '../../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';
import { asChainError } from '../chain/send-transaction.ts';

/**
 * When the payee took money from a channel last, in unix seconds: what it took was charged before. Batches name each channel
 * with its full 32-byte id (IPaymentChannels, events BatchSettled and BatchClosed).
 * @returns undefined if it never did.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function readSettledAt(deployment: OpenDeployment, channelId: Hex): Promise<number | undefined> {
  const source = { address: deployment.contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  const wanted = channelId.slice(2).toLowerCase();
  const [settled, closed, settlements, closures] = await Promise.all([
    readEvents(deployment, { ...source, eventName: 'ChannelSettled' }),
    readEvents(deployment, { ...source, eventName: 'ChannelClosed' }),
    readEvents(deployment, { ...source, eventName: 'BatchSettled' }),
    readEvents(deployment, { ...source, eventName: 'BatchClosed' }),
  ]);
  const blocks = [
    ...[...settled, ...closed].filter(({ args }) => args.channelId.toLowerCase() === channelId.toLowerCase()),
    ...settlements.filter(({ args }) => args.settlements.includes(wanted)),
    ...closures.filter(({ args }) => args.closures.includes(wanted)),
  ].map(({ blockNumber }) => blockNumber);
  if (blocks.length === 0) return undefined;
  const blockNumber = blocks.reduce((newest, block) => larger(newest, block), 0n);
  try {
    return Number((await deployment.reader.getBlock({ blockNumber })).timestamp);
  } catch (error) {
    throw asChainError(error, 'Reading the chain');
  }
}
