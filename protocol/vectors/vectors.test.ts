import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { recoverSigner } from '../bytes/secp256k1.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import { inclusionProofOf, merkleRoot, verifyInclusion } from '../merkle/inclusion.ts';
import { evidenceTiers, usageKinds, type CallReceipt } from '../receipt/call-receipt.ts';
import { commit, type CommitmentSubject } from '../receipt/commitments.ts';
import { decodeReceipt } from '../receipt/decode-receipt.ts';
import { encodeReceipt } from '../receipt/encode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt } from '../receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../receipt/verify-signed-receipt.ts';
import { computeChannelId, type ChannelIdentity } from '../typed-data/channel-id.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../typed-data/receipt-batch.ts';
import { voucherDigest, voucherDomainSeparator } from '../typed-data/voucher.ts';

type Amounts = 'runningTotal' | 'amount' | 'refundOwed' | 'oracleRound';
type JsonReceipt = Omit<CallReceipt, Amounts | 'evidenceTier' | 'usageKind'> &
  Record<Amounts, string> &
  Record<'evidenceTier' | 'usageKind', number>;

interface Vectors {
  scope: { chainId: number; escrow: Hex; autoPayLLM: Hex; signer: Hex };
  channels: (ChannelIdentity & { channelId: Hex })[];
  vouchers: { channelId: Hex; cumulativeAmount: string; digest: Hex; signature: Hex }[];
  receipts: { fields: JsonReceipt; entry: Hex; leafHash: Hex }[];
  receiptBatches: { root: Hex; size: number; signedAtMs: number; digest: Hex; signature: Hex; paths: Hex[][] }[];
  trees: { size: number; root: Hex; leafHashes: Hex[]; paths: Hex[][] }[];
  commitments: { subject: CommitmentSubject; salt: Hex; bytes: Hex; commitment: Hex }[];
}

const vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')) as Vectors;
const { scope } = vectors;
const receiptScope = { chainId: scope.chainId, verifyingContract: scope.autoPayLLM };

function receiptOf(fields: JsonReceipt): CallReceipt {
  return {
    ...fields,
    runningTotal: BigInt(fields.runningTotal),
    amount: BigInt(fields.amount),
    refundOwed: BigInt(fields.refundOwed),
    oracleRound: BigInt(fields.oracleRound),
    evidenceTier: evidenceTiers[fields.evidenceTier] ?? 'relay-signed',
    usageKind: usageKinds[fields.usageKind] ?? 'exact',
  };
}

describe('shared vectors', () => {
  it('derives channel ids', () => {
    for (const { channelId, ...identity } of vectors.channels) expect(computeChannelId(identity)).toBe(channelId);
  });

  it('hashes vouchers and recovers their signer', () => {
    const separator = voucherDomainSeparator({ chainId: scope.chainId, verifyingContract: scope.escrow });
    for (const { channelId, cumulativeAmount, digest, signature } of vectors.vouchers) {
      const actual = voucherDigest(separator, { channelId, cumulativeAmount: BigInt(cumulativeAmount) });
      expect(toHex(actual)).toBe(digest);
      expect(recoverSigner(actual, fromHex(signature))).toBe(scope.signer);
    }
  });

  it('encodes, hashes and decodes receipts', () => {
    for (const { fields, entry, leafHash } of vectors.receipts) {
      expect(toHex(encodeReceipt(receiptOf(fields)))).toBe(entry);
      expect(toHex(hashLeaf(fromHex(entry)))).toBe(leafHash);
      expect(decodeReceipt(fromHex(entry))).toEqual(receiptOf(fields));
    }
  });

  it('verifies every receipt of every signed batch, through its wire form', () => {
    for (const { root, size, signedAtMs, digest, signature, paths } of vectors.receiptBatches) {
      const batch = { root: fromHex(root), size, signedAtMs };
      expect(toHex(receiptBatchDigest(receiptDomainSeparator(receiptScope), batch))).toBe(digest);
      paths.forEach((path, index) => {
        const source = vectors.receipts[index];
        if (!source) throw new Error('no such receipt');
        const zero = Buffer.alloc(32);
        const signed = decodeSignedReceipt(
          encodeSignedReceipt({
            entry: fromHex(source.entry),
            index,
            size,
            signedAtMs,
            path: path.map((hash) => fromHex(hash)),
            signature: fromHex(signature),
            requestSalt: zero,
            responseSalt: zero,
          }),
        );
        const options = { scope: receiptScope, signer: scope.signer };
        expect(verifySignedReceipt(signed, options)).toEqual(receiptOf(source.fields));
        expect(() => verifySignedReceipt({ ...signed, size: size + 1 }, options)).toThrow();
        expect(() => verifySignedReceipt({ ...signed, signedAtMs: signedAtMs + 1 }, options)).toThrow();
        expect(() => verifySignedReceipt(signed, { ...options, signer: scope.escrow })).toThrow(/is signed by/);
      });
    }
  });

  it('builds the roots and paths of RFC 6962 and refuses each mutated byte', () => {
    for (const tree of vectors.trees) {
      const leafHashes = tree.leafHashes.map((hash) => fromHex(hash));
      expect(toHex(merkleRoot(leafHashes))).toBe(tree.root);
      tree.paths.forEach((expected, index) => {
        const path = inclusionProofOf(leafHashes, index);
        expect(path.map(toHex)).toEqual(expected);
        const leafHash = leafHashes[index] ?? Buffer.alloc(0);
        const claim = { leafHash, index, size: tree.size, path, root: fromHex(tree.root) };
        expect(verifyInclusion(claim)).toBe(true);
        for (const other of leafHashes.keys()) {
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
        path.forEach((hash, level) => {
          for (let byte = 0; byte < 32; byte += 1) {
            const mutated = path.map((item) => Buffer.from(item));
            mutated[level]?.writeUInt8((hash[byte] ?? 0) ^ 1, byte);
            expect(verifyInclusion({ ...claim, path: mutated })).toBe(false);
          }
        });
        expect(verifyInclusion({ ...claim, path: [...path, Buffer.alloc(32)] })).toBe(false);
        if (path.length > 0) expect(verifyInclusion({ ...claim, path: path.slice(1) })).toBe(false);
      });
    }
  });

  it('commits to bytes with a salt', () => {
    for (const { subject, salt, bytes, commitment } of vectors.commitments) {
      expect(toHex(commit({ subject, salt: fromHex(salt), bytes: fromHex(bytes) }))).toBe(commitment);
    }
  });
});
