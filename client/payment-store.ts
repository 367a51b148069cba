import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { appendLine } from './append-line.ts';
import type { Offer } from './read-offers.ts';

const fileName = 'payments.jsonl';

const storedPaymentSchema = z.object({
  /** docs/PROTOCOL.md, `paymentId`. */
  paymentId: z.string(),
  /** Unix milliseconds at which this line was written. */
  atMs: z.number().int(),
  /**
   * `signed`: it is on its way, or its answer was lost; `settled`: the seller named a transaction, or took nothing; `unconfirmed`: answered, without a
   * word of the settlement; `refused`: it was not taken, as the seller says.
   */
  state: z.enum(['signed', 'settled', 'unconfirmed', 'refused']),
  /** Of the call, without its query, which may hold a secret. */
  url: z.string(),
  method: z.enum(['x402/upto', 'x402/exact', 'evm/charge']),
  chainId: z.number().int(),
  token: z.string(),
  payTo: z.string(),
  /** What was signed, atomic units, decimal. */
  amount: z.string(),
  /** What was taken, as the seller says; null until it does. */
  taken: z.string().nullable(),
  transaction: z.string().nullable(),
  /** Until when the signature can be used, unix seconds. */
  validBefore: z.number().int(),
  /** What there is to show for it: a signed receipt of a relay (in `receipts.jsonl`, by its call), or the seller's word alone. */
  evidence: z.enum(['none', 'seller', 'autopay-receipt']),
  callId: z.string().nullable(),
  /** The seller's reason for a refusal; empty otherwise. */
  reason: z.string(),
});

/** One line of `payments.jsonl`. */
export type StoredPayment = z.output<typeof storedPaymentSchema>;

/**
 * The payments of their own that the wallet has signed (x402, `evm/charge`), one JSON object per line (0600): one line before a
 * payment is sent, another when its outcome is known. The file only grows.
 */
export interface PaymentStore {
  /** When this resolves, the line is on the disk: what was signed and forgotten can still be taken. */
  append(payment: StoredPayment): Promise<void>;
  /** The newest line of each payment, in the order in which they were signed. */
  list(): Promise<StoredPayment[]>;
}

/** Opens the payments in `stateDir`; the folder is created (0700) with the first. */
export function openPaymentStore(stateDir: string): PaymentStore {
  const file = join(stateDir, fileName);
  return {
    append: (payment) => appendLine(file, JSON.stringify(payment)),
    async list() {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '';
        throw error;
      });
      const payments = text.split('\n').flatMap((line) => parseLine(line) ?? []);
      return [...new Map(payments.map((payment) => [payment.paymentId, payment])).values()];
    },
  };
}

/** The line of a payment that is about to be sent. */
export function describeSigned(
  { method, asset, payTo }: Offer,
  signed: { paymentId: Hex; validBefore: number; amount: bigint; chainId: number; url: string },
): StoredPayment {
  const { amount, url: called, ...rest } = signed;
  const { origin, pathname } = new URL(called);
  return {
    ...{
      ...rest,
      url: origin + pathname,
      method,
      payTo,
      token: asset,
      amount: amount.toString(),
      atMs: Date.now(),
      state: 'signed',
    },
    ...{ taken: null, transaction: null, evidence: 'none', callId: null, reason: '' },
  };
}

/** A crash may have cut a line short: such a line is none, and does not hide the others. */
function parseLine(line: string): StoredPayment | undefined {
  try {
    return storedPaymentSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
