import { expect, it } from 'vitest';
import { fromHex, toHex } from '../protocol/bytes/hex.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { readVectors } from '../protocol/vectors/read-vectors.ts';
import { recoverReceiptSigner } from './recover-receipt-signer.ts';
import { proveInTail, TreeTail } from './tree-tail.ts';

// The checker's own ways to a root and to a path, against the vectors that contracts, relay and client run.
const { receiptBatches, receipts, scope, trees } = readVectors();

it('finds who signed each receipt of each batch', () => {
  const zero = Buffer.alloc(32);
  for (const { size, signedAtMs, signature, paths } of receiptBatches) {
    paths.forEach((path, index) => {
      const signed = {
        entry: fromHex(receipts[index]?.entry ?? '0x'),
        path: path.map((hash) => fromHex(hash)),
        signature: fromHex(signature),
        ...{ index, size, signedAtMs, requestSalt: zero, responseSalt: zero },
      };
      const domain = { chainId: scope.chainId, verifyingContract: scope.autoPayLLM };
      expect(recoverReceiptSigner(signed, domain)).toBe(scope.signer);
    });
  }
});

it('builds the path of each leaf from every frontier that leaves it in the tail', () => {
  for (const { leafHashes, paths } of trees) {
    const hashes = leafHashes.map((hash) => fromHex(hash));
    for (let start = 0; start < hashes.length; start += 1) {
      const before = new Frontier();
      for (const hash of hashes.slice(0, start)) before.append(hash);
      const size = hashes.length;
      const block = { start, frontier: before.roots, leafHashes: hashes.slice(start) };
      for (let index = start; index < size; index += 1) {
        expect(proveInTail(block, new TreeTail(size), { index, size }).map(toHex)).toEqual(paths[index]);
      }
    }
  }
});
