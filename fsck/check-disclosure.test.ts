import { describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, signDigest } from '../protocol/bytes/secp256k1.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { commit, createSalt } from '../protocol/receipt/commitments.ts';
import { createDisclosure } from '../protocol/receipt/disclosure.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import { checkDisclosure } from './check-disclosure.ts';
import { makeReceipt } from './testing/synthetic-log.ts';

const autoPayLLM: Hex = `0x${'a1'.repeat(20)}`;
const scope = { chainId: 31_337, verifyingContract: autoPayLLM };
const key = Buffer.alloc(32, 0x11);
const signer = addressOfPrivateKey(key);
const request = Buffer.from('{"model":"m"}');
const response = Buffer.from('{"choices":[]}');
const [requestSalt, responseSalt] = [createSalt(), createSalt()];

const entry = encodeReceipt(
  makeReceipt({
    requestCommitment: toHex(commit({ subject: 'request', salt: requestSalt, bytes: request })),
    responseCommitment: toHex(commit({ subject: 'response', salt: responseSalt, bytes: response })),
  }),
);
const digest = receiptBatchDigest(receiptDomainSeparator(scope), { root: hashLeaf(entry), size: 1, signedAtMs: 7 });
const signed = {
  entry,
  index: 0,
  size: 1,
  signedAtMs: 7,
  path: [],
  signature: signDigest(digest, key),
  requestSalt,
  responseSalt,
};
const disclosure = createDisclosure({ chainId: 31_337, autoPayLLM, signed, bytes: { request } });

const verdictsOf = async (...args: Parameters<typeof checkDisclosure>) => {
  const { ok, claims } = await checkDisclosure(...args);
  return [ok, ...claims.map((claim) => `${claim.name} ${claim.ok}`)];
};

describe('a disclosure of others', () => {
  it('holds where the bytes are those of the receipt, and the receipt is the relay’s', async () => {
    expect(await verdictsOf(disclosure, { signer })).toEqual([
      true,
      'codec true',
      'opens_request true',
      'relay_signed true',
    ]);
    expect(await checkDisclosure(disclosure, { signer })).toMatchObject({
      signer,
      receipt: { modelAsked: 'sim-small' },
    });
  });

  it('is not verified without anybody who knows the key: anybody can sign', async () => {
    expect(await verdictsOf(disclosure, {})).toEqual([false, 'codec true', 'opens_request true', 'relay_signed null']);
    const other: Hex = `0x${'12'.repeat(20)}`;
    expect(await verdictsOf(disclosure, { signer: other })).toContain('relay_signed false');
  });

  it('is not verified by a chain that it is not about', async () => {
    const contracts = { autoPayLLM: `0x${'b2'.repeat(20)}` } as never;
    const deployment = { rpcUrl: 'http://127.0.0.1:1', chainId: 31_337, contracts, deployedAtBlock: 0 };
    expect(await verdictsOf(disclosure, { deployment })).toContain('relay_signed null');
  });

  it('fails with other bytes, another receipt, a broken signature, and where it opens nothing', async () => {
    const parts = { request: { salt: requestSalt, bytes: Buffer.from('{"model":"n"}') } };
    expect(await verdictsOf({ ...disclosure, parts }, { signer })).toContain('opens_request false');
    const other = encodeReceipt(makeReceipt());
    const swapped = await verdictsOf({ ...disclosure, signed: { ...disclosure.signed, entry: other } }, { signer });
    expect(swapped).toEqual([false, 'codec true', 'opens_request false', 'relay_signed false']);
    const signature = Buffer.from(signed.signature);
    signature[64] = 99;
    expect(await verdictsOf({ ...disclosure, signed: { ...disclosure.signed, signature } }, { signer })).toContain(
      'relay_signed false',
    );
    expect(await verdictsOf({ ...disclosure, parts: {} }, { signer })).toContain('opens_request false');
    const entryless = { ...disclosure, signed: { ...disclosure.signed, entry: Buffer.alloc(3) } };
    expect((await verdictsOf(entryless, { signer })).slice(0, 2)).toEqual([false, 'codec false']);
  });
});
