import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ChannelState, ChargeResult } from './ledger.ts';

/** A charge whose receipt waits for the signature of its batch. */
export interface PendingCharge {
  /** The chain in whose name the receipt is signed. */
  chainId: number;
  receipt: CallReceipt;
  entry: Uint8Array;
  leafHash: Uint8Array;
  requestSalt: Uint8Array;
  responseSalt: Uint8Array;
  channel: ChannelState | null;
  payment: ChargeResult['payment'];
  keyId: string | null;
}

/** What the operations of one transaction share. */
export interface GroupContext {
  /** Unix milliseconds: the time of the charges and releases of the group that runs, at last that of the batch. */
  nowMs: number;
  /** Id of the first receipt batch that this transaction will store, if it charges anything; those of further chains follow. */
  readonly batchId: number;
  /** The charges so far, in order. */
  readonly charges: PendingCharge[];
}

/** The chains of the charges, in the order of their batches: that in which they first come. */
export function chainsOf(charges: readonly Pick<PendingCharge, 'chainId'>[]): number[] {
  const chains: number[] = [];
  // Asked for each charge of a group; there are few chains.
  for (const { chainId } of charges) if (!chains.includes(chainId)) chains.push(chainId);
  return chains;
}

/** Where the next charge on a chain stands: which batch, and behind how many of it. */
export function placeInBatch(
  { batchId, charges }: Pick<GroupContext, 'batchId' | 'charges'>,
  chainId: number,
): { batchId: number; batchIndex: number } {
  const chains = chainsOf(charges);
  const known = chains.indexOf(chainId);
  return {
    batchId: batchId + (known === -1 ? chains.length : known),
    batchIndex: charges.reduce((count, charge) => (charge.chainId === chainId ? count + 1 : count), 0),
  };
}

/** A result that needs the group's signed receipts: it is finished once the batch has been sealed. */
export class AfterSeal<T> {
  readonly finish: (receipts: readonly SignedReceipt[]) => T;

  constructor(finish: (receipts: readonly SignedReceipt[]) => T) {
    this.finish = finish;
  }
}
