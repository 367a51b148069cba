import type { PublicClient } from 'viem';
import { paymentChannelsAbi } from '../protocol/abi/payment-channels.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { AuditDeployment } from './audit-chain.ts';
import { blockRanges } from './chain-reader.ts';

/** Hexadecimal digits of an id, and of an amount, in `BatchSettled` and `BatchClosed` (IPaymentChannels). */
const idDigits = 64;
const amountDigits = 24;

/** A payment out of a channel: what it came to in all, atomic units. */
interface Settlement {
  blockNumber: bigint;
  settled: bigint;
}

/**
 * What the payee had taken of a channel at a time, by the escrow's events: atomic units.
 * @param options.atMs unix milliseconds, by the clock of the chain
 */
export async function readSettledAt(
  client: PublicClient,
  { deployment, channelId, atMs }: { deployment: AuditDeployment; channelId: Hex; atMs: number },
): Promise<bigint> {
  for (const range of await blockRanges(client, BigInt(deployment.deployedAtBlock))) {
    const settlements = await settlementsIn(client, { deployment, channelId, range });
    const newestFirst = settlements.toSorted((one, other) => Number(other.blockNumber - one.blockNumber));
    for (const { blockNumber } of newestFirst) {
      const { timestamp } = await client.getBlock({ blockNumber });
      if (Number(timestamp) * 1_000 > atMs) continue;
      // Totals only grow: of several in a block, the largest is the last.
      const inBlock = newestFirst.filter((one) => one.blockNumber === blockNumber);
      return inBlock.reduce((most, { settled }) => (settled > most ? settled : most), 0n);
    }
  }
  return 0n;
}

async function settlementsIn(
  client: PublicClient,
  parts: { deployment: AuditDeployment; channelId: Hex; range: { fromBlock: bigint; toBlock: bigint } },
): Promise<Settlement[]> {
  const { deployment, channelId, range } = parts;
  const { paymentChannels, autoPayLLM: payee } = deployment.contracts;
  const escrow = { address: paymentChannels, abi: paymentChannelsAbi, ...range, strict: true } as const;
  const [settled, closed, batches, closures] = await Promise.all([
    client.getContractEvents({ ...escrow, eventName: 'ChannelSettled', args: { channelId } }),
    client.getContractEvents({ ...escrow, eventName: 'ChannelClosed', args: { channelId } }),
    client.getContractEvents({ ...escrow, eventName: 'BatchSettled', args: { payee } }),
    client.getContractEvents({ ...escrow, eventName: 'BatchClosed', args: { payee } }),
  ]);
  const packed = [
    ...batches.map(({ args, blockNumber }) => ({ blockNumber, parts: cut(args.settlements, amountDigits) })),
    ...closures.map(({ args, blockNumber }) => ({ blockNumber, parts: cut(args.closures, 2 * amountDigits) })),
  ];
  const wanted = channelId.slice(2).toLowerCase();
  return [
    ...[...settled, ...closed].map(({ args, blockNumber }) => ({ blockNumber, settled: args.settled })),
    ...packed.flatMap(({ blockNumber, parts: entries }) =>
      entries
        .filter((entry) => entry.startsWith(wanted))
        .map((entry) => ({ blockNumber, settled: BigInt(`0x${entry.slice(idDigits, idDigits + amountDigits)}`) })),
    ),
  ];
}

/** The entries of packed bytes: an id, then so many digits. */
function cut(packed: Hex, digits: number): string[] {
  return packed.slice(2).match(new RegExp(`.{${idDigits + digits}}`, 'g')) ?? [];
}
