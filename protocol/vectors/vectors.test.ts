import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../bytes/hex.ts';
import { recoverSigner } from '../bytes/secp256k1.ts';
import { cidOfBlock, decodeBatchBlock, encodeBatchBlock } from '../log/batch-block.ts';
import { Frontier } from '../merkle/frontier.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import { inclusionProofOf, merkleRoot, verifyInclusion } from '../merkle/inclusion.ts';
import { challengeId, isOwnChallenge } from '../mpp/challenge.ts';
import { costOfUsage } from '../pricing/token-prices.ts';
import { commit } from '../receipt/commitments.ts';
import { decodeReceipt } from '../receipt/decode-receipt.ts';
import { encodeReceipt } from '../receipt/encode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt } from '../receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../receipt/verify-signed-receipt.ts';
import { computeChannelId } from '../typed-data/channel-id.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../typed-data/receipt-batch.ts';
import { voucherDigest, voucherDomainSeparator } from '../typed-data/voucher.ts';
import { readVectors, receiptOfVector } from './read-vectors.ts';

const vectors = readVectors();
const { scope } = vectors;
const receiptScope = { chainId: scope.chainId, verifyingContract: scope.autoPayLLM };
const noUsage = {
  ...{ prompt: 0, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0 },
  ...{ completion: 0, reasoning: 0, audioCompletion: 0 },
};

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
      expect(toHex(encodeReceipt(receiptOfVector(fields)))).toBe(entry);
      expect(toHex(hashLeaf(fromHex(entry)))).toBe(leafHash);
      expect(decodeReceipt(fromHex(entry))).toEqual(receiptOfVector(fields));
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
        expect(verifySignedReceipt(signed, options)).toEqual(receiptOfVector(source.fields));
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

  it('binds challenges', () => {
    for (const { challenge, secret } of vectors.challenges) {
      expect(challengeId(challenge, fromHex(secret))).toBe(challenge.id);
      expect(isOwnChallenge({ ...challenge, opaque: 'e31' }, fromHex(secret))).toBe(false);
    }
  });

  it('writes and reads blocks, and names them', () => {
    for (const { start, entries, bytes, cid, root } of vectors.blocks) {
      const named = cidOfBlock(fromHex(bytes));
      expect(named.toString()).toBe(cid);
      const block = decodeBatchBlock(fromHex(bytes), named);
      expect({ start: block.start, entries: block.entries.length }).toEqual({ start, entries });
      expect(toHex(encodeBatchBlock(block))).toBe(bytes);
      const tree = new Frontier(block.start, block.frontier);
      for (const entry of block.entries) tree.append(hashLeaf(entry));
      expect(toHex(tree.root())).toBe(root);
    }
  });

  it('prices usage, rounded up once', () => {
    for (const { usage, prices, cost } of vectors.costs) {
      const exact = Object.fromEntries(Object.entries(prices).map(([part, price]) => [part, BigInt(price)]));
      const tariff = { prices: exact as Record<keyof typeof prices, bigint>, conversion: null };
      expect(costOfUsage({ ...noUsage, ...usage }, tariff).toString()).toBe(cost);
    }
  });

  it('refuses receipts that are cut, stretched or changed in any word', () => {
    const source = fromHex(vectors.receipts[2]?.entry ?? '0x');
    expect(() => decodeReceipt(source.subarray(0, -32))).toThrow(/not an ABI-encoded/);
    expect(() => decodeReceipt(Buffer.concat([source, Buffer.alloc(32)]))).toThrow(/canonical/);
    for (let at = 0; at < source.length; at += 1) {
      const changed = Buffer.from(source);
      changed.writeUInt8(source.readUInt8(at) ^ 0xff, at);
      // Either another receipt or none: never the same one from other bytes.
      let leafHash = 'refused';
      try {
        leafHash = toHex(hashLeaf(encodeReceipt(decodeReceipt(changed))));
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_encoding' });
      }
      expect(leafHash).not.toBe(toHex(hashLeaf(source)));
    }
  });
});
