import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { rootOfPath } from '../../protocol/merkle/inclusion.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ReceiptStore, StoredReceipt } from '../receipt-store.ts';
import { evidenceSchema, type Evidence, type SignedReceiptStruct } from './evidence-schema.ts';

/** Longer files are no evidence: paths and entries of two receipts fit many times. */
const maxEvidenceBytes = 1_048_576;

/**
 * A stored receipt as the contract takes it. The root that the relay signed is what the path leads to.
 * @throws AutoPayError `invalid_encoding` if it is none.
 */
export function toSignedReceiptStruct(stored: Pick<StoredReceipt, 'callId' | 'receipt'>): SignedReceiptStruct {
  const { entry, index, size, path, signature, signedAtMs } = decodeSignedReceipt(stored.receipt);
  const root = rootOfPath({ leafHash: hashLeaf(entry), index, size, path });
  if (root === undefined) {
    throw new AutoPayError('invalid_encoding', `The stored receipt of ${stored.callId} has no valid path.`);
  }
  return {
    entry: toHex(entry),
    batch: { root: toHex(root), size: BigInt(size), signedAtMs: BigInt(signedAtMs) },
    index: BigInt(index),
    path: path.map(toHex),
    signature: toHex(signature),
  };
}

/**
 * The receipt of a call, from the wallet's own store.
 * @param callId a call id, or `last`.
 * @throws AutoPayError `invalid_argument` if the wallet has none.
 */
export async function requireReceipt(
  receipts: ReceiptStore,
  callId: string,
): Promise<{ stored: StoredReceipt; receipt: CallReceipt }> {
  const stored = callId === 'last' ? await receipts.findLast() : await receipts.find(callId);
  if (!stored) {
    throw new AutoPayError(
      'invalid_argument',
      `This wallet has no receipt of call ${callId}; only who has the receipt can dispute the call.`,
    );
  }
  return { stored, receipt: decodeReceipt(decodeSignedReceipt(stored.receipt).entry) };
}

/**
 * Evidence that a channel was settled beyond the payer's last receipt.
 * @param channelId the channel; without it, the channel of the newest paid receipt.
 * @throws AutoPayError `invalid_argument` if no channel is named and there is no paid receipt.
 */
export async function buildSettlementEvidence(receipts: ReceiptStore, channelId?: Hex): Promise<Evidence> {
  const newest = await receipts.findNewestOfChannel(channelId);
  if (newest) {
    const last = toSignedReceiptStruct(newest);
    return { kind: 'settled-beyond-receipt', channelId: newest.channelId as Hex, last };
  }
  if (channelId !== undefined) return { kind: 'settled-beyond-receipt', channelId, last: null };
  throw new AutoPayError('invalid_argument', 'This wallet has no paid receipt: name the channel.');
}

/**
 * Reads an evidence file.
 * @throws AutoPayError `invalid_argument` if it cannot be read or is none.
 */
export async function readEvidenceFile(file: string): Promise<Evidence> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new AutoPayError('invalid_argument', `The evidence file ${file} cannot be read (${cause.code}).`, { cause });
  });
  if (text.length > maxEvidenceBytes) {
    throw new AutoPayError('invalid_argument', `An evidence file has at most ${maxEvidenceBytes} characters.`);
  }
  return parseEvidence(text);
}

/**
 * Parses the JSON text of an evidence file.
 * @throws AutoPayError `invalid_argument` naming the first member that is wrong.
 */
export function parseEvidence(text: string): Evidence {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AutoPayError('invalid_argument', 'The evidence file is not JSON.', { cause });
  }
  const parsed = evidenceSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const words = z.prettifyError(parsed.error).split('\n').slice(0, 2).join(' ').trim();
  throw new AutoPayError(
    'invalid_argument',
    `The evidence file does not fit its format (docs/PROTOCOL.md, "Evidence files"): ${words}`,
    { cause: parsed.error },
  );
}
