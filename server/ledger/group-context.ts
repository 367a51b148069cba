import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ChannelState, ChargeResult } from './ledger.ts';

/** A charge whose receipt waits for the signature of its batch. */
export interface PendingCharge {
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
  /** Unix milliseconds: the time of every charge and release in the group. */
  readonly nowMs: number;
  /** Id of the receipt batch that this transaction will store, if it charges anything. */
  readonly batchId: number;
  /** The charges so far, in order; their position is their index in the batch. */
  readonly charges: PendingCharge[];
}

/** A result that needs the group's signed receipts: it is finished once the batch has been sealed. */
export class AfterSeal<T> {
  readonly finish: (receipts: readonly SignedReceipt[]) => T;

  constructor(finish: (receipts: readonly SignedReceipt[]) => T) {
    this.finish = finish;
  }
}
