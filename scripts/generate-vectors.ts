/**
 * Writes protocol/vectors/vectors.json: one set of inputs and outputs that Solidity, server, client and fsck all run.
 * Digests and encodings come from viem, not from the code under test; Merkle values from the recursive definition.
 * `--check` fails if the committed file differs.
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import * as digest from 'multiformats/hashes/digest';
import { encodeAbiParameters, hashTypedData, keccak256, type Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { callReceiptAbi } from '../protocol/receipt/call-receipt.ts';
import { voucherDomain, voucherTypes } from '../protocol/typed-data/voucher.ts';
import { receiptBatchTypes } from '../protocol/typed-data/receipt-batch.ts';
import { merkleProofVectors } from './vectors/merkle-proofs.ts';
import { priceVectors } from './vectors/price-rows.ts';
import { DefinedTree, sha256 } from './vectors/rfc6962.ts';

const file = new URL('../protocol/vectors/vectors.json', import.meta.url);

const hex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`;
const filled = (byte: number, length = 32): Hex => hex(Buffer.alloc(length, byte));

const treeHash = (leaves: readonly Uint8Array[]): Buffer => new DefinedTree(leaves).hash();
const treePath = (index: number, leaves: readonly Uint8Array[]): Buffer[] => new DefinedTree(leaves).path(index);

const chainId = 31337;
const escrow = filled(0xe5, 20);
const autoPayLLM = filled(0xa7, 20);
// A key that is public on purpose: it signs test vectors and nothing else.
const account = privateKeyToAccount(hex(createHash('sha256').update('autopay test vector key').digest()));

const identity = {
  payer: account.address,
  payee: autoPayLLM,
  token: filled(0x70, 20),
  salt: filled(0x5a),
  authorizedSigner: filled(0, 20),
  escrow,
  chainId,
};
const channelId = keccak256(
  encodeAbiParameters(
    ['address', 'address', 'address', 'bytes32', 'address', 'address', 'uint256'].map((type) => ({ type })),
    [
      identity.payer,
      identity.payee,
      identity.token,
      identity.salt,
      identity.authorizedSigner,
      identity.escrow,
      BigInt(chainId),
    ],
  ),
);

const amounts = [0n, 1n, 250_000n, 10_000n * 10n ** 18n, (1n << 96n) - 1n, (1n << 128n) - 1n];
const vouchers = await Promise.all(
  amounts.map(async (cumulativeAmount) => {
    const typedData = {
      domain: voucherDomain({ chainId, verifyingContract: escrow }),
      types: voucherTypes,
      primaryType: 'Voucher',
      message: { channelId, cumulativeAmount },
    } as const;
    return {
      channelId,
      cumulativeAmount: cumulativeAmount.toString(),
      digest: hashTypedData(typedData),
      signature: await account.signTypedData(typedData),
    };
  }),
);

const callIds = [0, 1, 2, 3, 4].map((n) => `019a0000-0000-7000-8000-00000000000${n}`);
const receipts = callIds.map((callId, n) => {
  const amount = n === 4 ? (1n << 128n) - 1n : BigInt(n) * 12_345n;
  const names = ['', 'sim-small', 'a name that is longer than thirty-two bytes, with ünïcödé'];
  const name = names[n % names.length] ?? '';
  const fields = {
    version: 1,
    callId,
    admittedAtMs: 1_760_000_000_000 + n,
    chargedAtMs: 1_760_000_000_500 + n,
    payer: account.address.toLowerCase() as Hex,
    channelId: n === 0 ? filled(0) : channelId,
    sequence: n === 3 ? Number.MAX_SAFE_INTEGER : n,
    runningTotal: amount,
    token: identity.token,
    amount,
    refundOwed: BigInt(n),
    priceRoot: filled(0x11 * n),
    oracleRound: n === 4 ? (1n << 256n) - 1n : BigInt(n),
    usage: {
      prompt: 100 * n,
      cachedPrompt: 10 * n,
      cacheWrite: n,
      audioPrompt: 0,
      completion: 2 ** 40 * n,
      reasoning: n,
      audioCompletion: 0,
    },
    requestCommitment: filled(0xc0 + n),
    responseCommitment: filled(0xd0 + n),
    attemptsDigest: filled(0xa0 + n),
    evidenceTier: n,
    usageKind: n % 2,
    modelAsked: name,
    modelServed: name,
    provider: 'simulated',
    deployment: `simulated@${n}`,
  };
  const entry = encodeAbiParameters(callReceiptAbi, [
    {
      ...fields,
      callId: `0x${callId.replaceAll('-', '')}`,
      admittedAtMs: BigInt(fields.admittedAtMs),
      chargedAtMs: BigInt(fields.chargedAtMs),
      sequence: BigInt(fields.sequence),
      usage: {
        prompt: BigInt(fields.usage.prompt),
        cachedPrompt: BigInt(fields.usage.cachedPrompt),
        cacheWrite: BigInt(fields.usage.cacheWrite),
        audioPrompt: 0n,
        completion: BigInt(fields.usage.completion),
        reasoning: BigInt(fields.usage.reasoning),
        audioCompletion: 0n,
      },
    },
  ]);
  return { fields, entry, leafHash: hex(sha256(Buffer.from([0]), Buffer.from(entry.slice(2), 'hex'))) };
});

const entries = receipts.map((receipt) => Buffer.from(receipt.entry.slice(2), 'hex'));
const signedAtMs = 1_760_000_001_000;
const receiptBatches = await Promise.all(
  [1, 2, 5].map(async (size) => {
    const leaves = entries.slice(0, size);
    const root = hex(treeHash(leaves));
    const typedData = {
      domain: { name: 'AutoPayLLM', version: '1', chainId, verifyingContract: autoPayLLM },
      types: receiptBatchTypes,
      primaryType: 'ReceiptBatch',
      message: { root, size: BigInt(size), signedAtMs: BigInt(signedAtMs) },
    } as const;
    return {
      root,
      size,
      signedAtMs,
      digest: hashTypedData(typedData),
      signature: await account.signTypedData(typedData),
      paths: leaves.map((_, index) => treePath(index, leaves).map(hex)),
    };
  }),
);

// Small trees over the one-byte leaves 00, 01, 02 …: every (index, size) up to 9.
const trees = Array.from({ length: 9 }, (_, n) => {
  const leaves = Array.from({ length: n + 1 }, (_unused, index) => Buffer.from([index]));
  return {
    size: n + 1,
    root: hex(treeHash(leaves)),
    leafHashes: leaves.map((leaf) => hex(sha256(Buffer.from([0]), leaf))),
    paths: leaves.map((_unused, index) => treePath(index, leaves).map(hex)),
  };
});

const salt = filled(0x77);
const bytes = Buffer.from('{"model":"sim-small"}');
const commitments = (['request', 'response'] as const).map((subject) => ({
  subject,
  salt,
  bytes: hex(bytes),
  commitment: hex(sha256(Buffer.from(`autopay-${subject}-v1`), Buffer.from(salt.slice(2), 'hex'), bytes)),
}));

// draft-httpauth-payment, "Challenge Binding", by hand.
const challengeSecret = filled(0x5e);
const challenges = [
  {
    realm: 'autopay.local',
    method: 'evm',
    intent: 'session',
    request: 'eyJhIjoiMSJ9',
    expires: '2026-12-01T00:00:00Z',
  },
  { realm: 'autopay.local', method: 'evm', intent: 'session', request: 'e30', digest: 'sha-256=:AA==:', opaque: 'e30' },
].map((challenge) => {
  const { realm, method, intent, request, expires = '', digest = '', opaque = '' } = challenge;
  const input = [realm, method, intent, request, expires, digest, opaque].join('|');
  const id = createHmac('sha256', Buffer.from(challengeSecret.slice(2), 'hex'))
    .update(input)
    .digest('base64url');
  return { challenge: { id, ...challenge }, secret: challengeSecret };
});

// One block of the first two entries, then one of the rest; the frontier of two leaves is their common root.
const firstBlock = dagCbor.encode({ version: 1, previous: null, start: 0, frontier: [], entries: entries.slice(0, 2) });
const firstCid = CID.createV1(0x71, digest.create(0x12, sha256(firstBlock)));
const secondBlock = dagCbor.encode({
  version: 1,
  previous: firstCid,
  start: 2,
  frontier: [treeHash(entries.slice(0, 2))],
  entries: entries.slice(2),
});
const blocks = [
  { start: 0, entries: 2, bytes: hex(firstBlock), cid: firstCid.toString(), root: hex(treeHash(entries.slice(0, 2))) },
  {
    start: 2,
    entries: 3,
    bytes: hex(secondBlock),
    cid: CID.createV1(0x71, digest.create(0x12, sha256(secondBlock))).toString(),
    root: hex(treeHash(entries)),
  },
];

const prices = {
  prompt: 150_000,
  cachedPrompt: 75_000,
  cacheWrite: 200_000,
  audioPrompt: 300_000,
  completion: 600_000,
};
const costs = [
  // 1 token at 0.15 atomic units is rounded up to 1.
  { usage: { prompt: 1 }, cost: '1' },
  // (100 − 40 − 10 − 5) × 0.15 + 40 × 0.075 + 10 × 0.2 + 5 × 0.3 + (50 − 7) × 0.6 + 7 × 1.2 = 47.45
  {
    usage: {
      prompt: 100,
      cachedPrompt: 40,
      cacheWrite: 10,
      audioPrompt: 5,
      completion: 50,
      reasoning: 9,
      audioCompletion: 7,
    },
    cost: '48',
  },
  { usage: { prompt: 2 ** 40, completion: 2 ** 40 }, cost: '824633720832' },
].map(({ usage, cost }) => ({ usage, prices: { ...prices, audioCompletion: 1_200_000, request: 0 }, cost }));

const vectors = {
  scope: { chainId, escrow, autoPayLLM, signer: account.address.toLowerCase() },
  channels: [{ ...identity, channelId }],
  vouchers,
  receipts,
  receiptBatches,
  trees,
  merkleProofs: merkleProofVectors(),
  commitments,
  challenges,
  blocks,
  costs,
  ...priceVectors(),
};
const text = `${JSON.stringify(vectors, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write('protocol/vectors/vectors.json is stale: run "npm run generate".\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
