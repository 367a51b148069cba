import type { Hex } from '../protocol/bytes/hex.ts';
import { recoverSigner } from '../protocol/bytes/secp256k1.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { rootOfPath } from '../protocol/merkle/inclusion.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt, type SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import type { WalletChain } from './open-channel.ts';
import { ReceiptHistory } from '../protocol/receipt/receipt-history.ts';
import type { StoredReceipt } from './receipt-store.ts';

/** One check of a receipt. */
export interface ReceiptCheck {
  name: 'record' | 'signature' | 'signer' | 'prices' | 'running-total' | 'arrival';
  /** null: it could not be made. */
  isFine: boolean | null;
  /** What was found, in words. */
  detail: string;
}

/** A receipt of the wallet's record, with what it says and whether it still holds. */
export interface RecheckedReceipt {
  receipt: CallReceipt;
  signedAtMs: number;
  /** Recovered from the signature; undefined if there is none that fits. */
  signer: Hex | undefined;
  checks: ReceiptCheck[];
}

/** What the chain is asked; without it, the checks that need it are left open. */
export type ReceiptFacts = Pick<WalletChain, 'isReceiptKey' | 'isInForce'>;

/**
 * Checks a stored receipt once more, from the record and the chain alone. Prompt and answer are not in the record, so what the
 * receipt commits to is not checked again: that was done when it came.
 * @param options.all the wallet's receipts, for the neighbours of this one.
 * @throws AutoPayError `invalid_encoding` if it cannot be read; what `facts` throws.
 */
export async function recheckReceipt(
  stored: StoredReceipt,
  { all, facts }: { all: readonly StoredReceipt[]; facts: ReceiptFacts | undefined },
): Promise<RecheckedReceipt> {
  const signed = decodeSignedReceipt(stored.receipt);
  const receipt = decodeReceipt(signed.entry);
  const { signedAtMs } = signed;
  const signer = recoverReceiptSigner(signed, stored);
  const checks: ReceiptCheck[] = [
    checkRecord(stored, receipt),
    {
      name: 'signature',
      isFine: signer !== undefined,
      detail: signer === undefined ? 'it does not fit the receipt' : `by ${signer}`,
    },
    await checkSigner({ signer, signedAtMs, facts }),
    await checkPrices(receipt, facts),
    checkNeighbours(stored, receipt, all),
    {
      name: 'arrival',
      isFine: stored.problems.length === 0,
      detail: stored.problems.length === 0 ? 'every check passed when it came' : `then: ${stored.problems.join('; ')}`,
    },
  ];
  return { receipt, signedAtMs, signer, checks };
}

function recoverReceiptSigner(signed: SignedReceipt, { chainId, payee }: StoredReceipt): Hex | undefined {
  const { entry, index, size, path, signedAtMs, signature } = signed;
  const root = rootOfPath({ leafHash: hashLeaf(entry), index, size, path });
  if (root === undefined) return undefined;
  const separator = receiptDomainSeparator({ chainId, verifyingContract: payee as Hex });
  try {
    return recoverSigner(receiptBatchDigest(separator, { root, size, signedAtMs }), signature);
  } catch {
    return undefined;
  }
}

function checkRecord(stored: StoredReceipt, receipt: CallReceipt): ReceiptCheck {
  const pairs = [
    [stored.callId, receipt.callId],
    [stored.model, receipt.modelAsked],
    [stored.channelId, receipt.channelId],
    [stored.sequence, receipt.sequence],
    [stored.amount, String(receipt.amount)],
    [stored.promptTokens, receipt.usage.prompt],
    [stored.completionTokens, receipt.usage.completion],
  ];
  const isFine = pairs.every(([noted, said]) => noted === said);
  return {
    name: 'record',
    isFine,
    detail: isFine ? 'says what the receipt says' : 'says something else than the receipt',
  };
}

async function checkSigner(options: {
  signer: Hex | undefined;
  signedAtMs: number;
  facts: ReceiptFacts | undefined;
}): Promise<ReceiptCheck> {
  const { signer, signedAtMs, facts } = options;
  if (signer === undefined) return { name: 'signer', isFine: false, detail: 'nobody' };
  if (!facts) return { name: 'signer', isFine: null, detail: 'the chain was not asked' };
  const isFine = await facts.isReceiptKey(signer, Math.floor(signedAtMs / 1_000));
  return { name: 'signer', isFine, detail: `${isFine ? 'had' : 'did not have'} a key of the relay's at that time` };
}

async function checkPrices(receipt: CallReceipt, facts: ReceiptFacts | undefined): Promise<ReceiptCheck> {
  if (receipt.amount === 0n) return { name: 'prices', isFine: true, detail: 'nothing was charged' };
  if (!facts) return { name: 'prices', isFine: null, detail: 'the chain was not asked' };
  const isFine = await facts.isInForce(receipt.priceRoot, Math.floor(receipt.admittedAtMs / 1_000));
  return { name: 'prices', isFine, detail: `the price table was ${isFine ? '' : 'not '}in force at that time` };
}

/** Holds the receipt against those of the calls before and after it, as far as the record has them. */
function checkNeighbours(stored: StoredReceipt, receipt: CallReceipt, all: readonly StoredReceipt[]): ReceiptCheck {
  const name = 'running-total';
  if (receipt.sequence === 0) return { name, isFine: true, detail: 'no channel was charged' };
  const history = new ReceiptHistory();
  const near = all.filter(
    (other) =>
      other.channelId === stored.channelId &&
      other.callId !== stored.callId &&
      other.problems.length === 0 &&
      Math.abs(other.sequence - receipt.sequence) <= 1,
  );
  for (const other of near) history.add(decodeReceipt(decodeSignedReceipt(other.receipt).entry));
  const problems = history.add(receipt);
  const isFine = problems.length === 0;
  const beside = near.length === 0 ? 'the record has none beside it' : 'joins those beside it in the record';
  return { name, isFine, detail: isFine ? beside : problems.join('; ') };
}
