import { fromHex, toHex, type Hex } from '../protocol/bytes/hex.ts';
import { recoverSigner } from '../protocol/bytes/secp256k1.ts';
import { merkleRoot } from '../protocol/merkle/inclusion.ts';
import type { TypedDataScope } from '../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books } from './open-books.ts';
import type { ChargeFacts } from './scan-charges.ts';

/** Between which times a key signed, unix milliseconds. */
export interface SigningTime {
  firstMs: number;
  lastMs: number;
}

/**
 * Every receipt has a place in a batch whose signed root is that of its receipts; its path follows from its place.
 * @returns the claim, and who signed when; the chain says whether that was the relay's key.
 */
export function checkBatches(
  books: Books,
  facts: ChargeFacts,
  scope: TypedDataScope,
): { claim: Claim; signers: Map<Hex, SigningTime> } {
  const differences = new Differences();
  const signers = new Map<Hex, SigningTime>();
  const separator = receiptDomainSeparator(scope);
  const unseen = new Set(facts.batches.keys());
  let batches = 0;
  for (const row of books.rows('SELECT * FROM receipt_batches ORDER BY batch_id')) {
    const id = row.number('batch_id');
    batches += 1;
    unseen.delete(id);
    const leafHashes = (facts.batches.get(id) ?? []).map((index) => facts.leafHashes[index] ?? new Uint8Array());
    const size = row.number('size');
    // A gap in the positions would be an empty slot.
    if (leafHashes.length !== size || Object.keys(leafHashes).length !== size) {
      differences.add(`batch ${id} is signed for ${size} receipts and has ${Object.keys(leafHashes).length}`);
      continue;
    }
    const root = merkleRoot(leafHashes);
    differences.require(toHex(root) === row.hex('root'), () => `batch ${id} has another root than its receipts`);
    try {
      const signedAtMs = row.number('signed_at_ms');
      const digest = receiptBatchDigest(separator, { root, size, signedAtMs });
      noteSigner(signers, { signer: recoverSigner(digest, fromHex(row.hex('signature'))), signedAtMs });
    } catch {
      differences.add(`batch ${id} has no valid signature`);
    }
  }
  for (const id of unseen) differences.add(`receipts name batch ${id}, which does not exist`);
  differences.require(
    signers.size <= 1 || batches === 0,
    () => `the batches are signed by ${[...signers.keys()].join(' and ')}`,
  );
  const claim = differences.toClaim(
    'receipts_signed',
    `${[...facts.batches.values()].reduce((sum, { length }) => sum + length, 0)} receipts lie under ${batches} batch signatures${signers.size === 1 ? ` of ${[...signers.keys()].join()}` : ''}`,
  );
  return { claim, signers };
}

function noteSigner(signers: Map<Hex, SigningTime>, { signer, signedAtMs }: { signer: Hex; signedAtMs: number }): void {
  const known = signers.get(signer) ?? { firstMs: signedAtMs, lastMs: signedAtMs };
  const { firstMs, lastMs } = known;
  signers.set(signer, { firstMs: Math.min(firstMs, signedAtMs), lastMs: Math.max(lastMs, signedAtMs) });
}
