import type { FinishedPayment } from '../../call/types.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { ChannelState, ChargeResult } from '../../ledger/ledger.ts';
import type { MethodAdmission } from '../payment-method.ts';

const nothing: FinishedPayment = { headers: {}, events: '' };

/** What a `Payment-Receipt` says; amounts are atomic units. */
export interface SessionReceipt {
  chainId: number;
  challengeId: string;
  channel: Pick<ChannelState, 'channelId' | 'acceptedCumulative'>;
  /** Charged in all, this call included. */
  spent: bigint;
  /** Unix milliseconds. */
  atMs: number;
  /** Tokens of this call. */
  units?: number;
  /** The transaction that closed the channel. */
  txHash?: Hex;
}

/** The JSON of MPP's `Payment-Receipt` (EVM session draft, "Receipt Generation"). Amounts are decimal strings. */
export function describeReceipt({ atMs, channel, ...receipt }: SessionReceipt): string {
  const { challengeId, chainId, spent, units, txHash } = receipt;
  return JSON.stringify({
    method: 'evm',
    intent: 'session',
    status: 'success',
    timestamp: new Date(atMs).toISOString(),
    reference: channel.channelId,
    challengeId,
    channelId: channel.channelId,
    acceptedCumulative: String(channel.acceptedCumulative),
    spent: String(spent),
    chainId,
    units,
    txHash,
  });
}

/** The value of the header. */
export function encodeReceipt(json: string): string {
  return Buffer.from(json).toString('base64url');
}

/** MPP's receipt of a call, as a header and as the named event that ends a stream; nothing where no channel paid. */
export function describePayment(
  chainId: number,
  { challengeId }: Pick<MethodAdmission, 'challengeId'>,
  { channel, receipt }: Pick<ChargeResult, 'channel' | 'receipt'>,
): FinishedPayment {
  if (!channel || challengeId === undefined) return nothing;
  const { chargedAtMs: atMs, runningTotal: spent, usage } = receipt;
  const units = usage.prompt + usage.completion;
  const json = describeReceipt({ chainId, challengeId, channel, spent, atMs, units });
  return {
    headers: { 'payment-receipt': encodeReceipt(json) },
    events: `event: payment-receipt\ndata: ${json}\n\n`,
  };
}
