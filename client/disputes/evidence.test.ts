import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeFunctionData } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { toHex, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { openReceiptStore, type StoredReceipt } from '../receipt-store.ts';
import { fakeDeployment } from '../testing/fake-deployment.ts';
import {
  buildSettlementEvidence,
  parseEvidence,
  readEvidenceFile,
  requireReceipt,
  toSignedReceiptStruct,
} from './build-evidence.ts';
import type { Evidence, SignedReceiptStruct } from './evidence-schema.ts';
import { encodeDispute, openDispute, readDisputeCost } from './open-dispute.ts';
import { readDisputes } from './read-disputes.ts';

const usdc: Hex = `0x${'dc'.repeat(20)}`;
const channel = (byte: string): Hex => `0x${byte.repeat(32)}`;
const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };

function receiptOf(channelId: Hex, sequence: number): CallReceipt {
  return {
    version: 1,
    callId: createCallId(),
    admittedAtMs: 1,
    chargedAtMs: 2,
    payer: `0x${'aa'.repeat(20)}`,
    channelId,
    sequence,
    runningTotal: 10n,
    token: usdc,
    amount: 10n,
    refundOwed: 0n,
    priceRoot: zeroBytes32,
    oracleRound: 0n,
    usage: { prompt: 1, completion: 1, ...none },
    requestCommitment: zeroBytes32,
    responseCommitment: zeroBytes32,
    attemptsDigest: zeroBytes32,
    evidenceTier: 'relay-signed',
    usageKind: 'exact',
    modelAsked: 'm',
    modelServed: 'm',
    provider: 'p',
    deployment: 'd',
  };
}

/** A receipt as the wallet stores it, third in a batch of five. */
function storedOf(channelId: Hex, sequence: number): StoredReceipt & { root: Hex } {
  const receipt = receiptOf(channelId, sequence);
  const entry = encodeReceipt(receipt);
  const leaves = [1, 2, 3, 4, 5].map((i) => (i === 3 ? hashLeaf(entry) : hashLeaf(Buffer.from([i]))));
  const path = inclusionProofOf(leaves, 2);
  const [signature, salt] = [Buffer.alloc(65, 1), Buffer.alloc(32)];
  const salts = { requestSalt: salt, responseSalt: salt };
  return {
    callId: receipt.callId,
    receivedAtMs: 1,
    relayUrl: 'http://relay',
    chainId: 31_337,
    payee: `0x${'a1'.repeat(20)}`,
    model: 'm',
    channelId,
    sequence,
    amount: '10',
    promptTokens: 1,
    completionTokens: 1,
    problems: [],
    receipt: encodeSignedReceipt({ entry, index: 2, size: 5, signedAtMs: 77, path, signature, ...salts }),
    root: toHex(merkleRoot(leaves)),
  };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-evidence-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What an evidence file says of a receipt. */
const toJson = (struct: SignedReceiptStruct) => ({
  ...struct,
  index: Number(struct.index),
  batch: { ...struct.batch, size: String(struct.batch.size), signedAtMs: String(struct.batch.signedAtMs) },
});

describe("a wallet's receipt", () => {
  it('becomes what the contract takes, with the root that its path leads to', () => {
    const stored = storedOf(channel('c1'), 1);
    const struct = toSignedReceiptStruct(stored);
    expect(struct.batch).toEqual({ root: stored.root, size: 5n, signedAtMs: 77n });
    expect([struct.index, struct.path.length]).toEqual([2n, 3]);
  });

  it('is found by its call, or is missed by name', async () => {
    const receipts = openReceiptStore(join(folder, 'by-call'));
    const stored = storedOf(channel('c1'), 1);
    await receipts.append(stored);
    expect((await requireReceipt(receipts, stored.callId)).receipt.callId).toBe(stored.callId);
    expect((await requireReceipt(receipts, 'last')).stored.callId).toBe(stored.callId);
    await expect(requireReceipt(receipts, createCallId())).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('that is the newest of its channel shows what was settled beyond it', async () => {
    const receipts = openReceiptStore(join(folder, 'by-channel'));
    await expect(buildSettlementEvidence(receipts)).rejects.toThrow('no paid receipt');
    for (const [id, sequence] of [
      ['c1', 1],
      ['c1', 3],
      ['c1', 2],
      ['c2', 9],
      ['00', 0],
    ] as const) {
      await receipts.append(storedOf(channel(id), sequence));
    }
    expect((await receipts.findNewestOfChannel(channel('c1')))?.sequence).toBe(3);
    expect(await buildSettlementEvidence(receipts)).toMatchObject({ channelId: channel('c2') });
    const stranger = await buildSettlementEvidence(receipts, channel('c3'));
    expect(stranger).toEqual({ kind: 'settled-beyond-receipt', channelId: channel('c3'), last: null });
  });
});

describe('an evidence file', () => {
  const one = toSignedReceiptStruct(storedOf(channel('c1'), 1));
  const row = {
    ...{ model: 'm', token: usdc, inUsd: false, prompt: '1', cachedPrompt: '1', cacheWrite: '1' },
    ...{ audioPrompt: '1', completion: '2', audioCompletion: '2', request: '0' },
  };
  const entry = {
    ...{ entry: one.entry, index: 4, path: [zeroBytes32] },
    anchor: { size: 9, previousSize: 0, anchoredAt: 5, root: zeroBytes32, cid: zeroBytes32 },
  };
  const files: [file: Record<string, unknown>, functionName: string][] = [
    [{ kind: 'duplicate-sequence', one: toJson(one), other: toJson(one) }, 'disputeDuplicateSequence'],
    [{ kind: 'wrong-running-total', earlier: null, later: toJson(one) }, 'disputeRunningTotal'],
    [{ kind: 'rewritten-index', earlier: entry, later: entry }, 'disputeRewrittenIndex'],
    [{ kind: 'overcharge', receipt: toJson(one), proven: { row, index: 0, size: 1, path: [] } }, 'disputeOvercharge'],
    [{ kind: 'unpublished-prices', receipt: toJson(one) }, 'disputeUnpublishedPrices'],
    [{ kind: 'settled-beyond-receipt', channelId: channel('c1'), last: null }, 'challengeSettlement'],
    [{ kind: 'not-in-log', receipt: toJson(one) }, 'challengeInclusion'],
    [{ kind: 'metering', receipt: toJson(one), amount: '3' }, 'disputeMetering'],
  ];

  it.each(files)('of each kind becomes its call (%#)', async (file, functionName) => {
    const path = join(folder, `${functionName}.json`);
    await writeFile(path, JSON.stringify(file));
    const decoded = decodeFunctionData({ abi: billingDisputesAbi, data: encodeDispute(await readEvidenceFile(path)) });
    expect(decoded.functionName).toBe(functionName);
    if (functionName === 'disputeMetering') expect(decoded.args).toEqual([one, 3n]);
    if (functionName === 'disputeRunningTotal') expect(decoded.args?.[0]).toMatchObject({ entry: '0x', path: [] });
  });

  it.each([
    ['', 'is not JSON'],
    ['{"kind":"gossip"}', 'does not fit its format'],
    [JSON.stringify({ ...files[6]?.[0], extra: 1 }), 'extra'],
    [JSON.stringify({ ...files[7]?.[0], amount: '-1' }), 'amount'],
  ])('that is none is refused (%#)', (text, message) => {
    expect(() => parseEvidence(text)).toThrow(message);
  });

  it('that cannot be read is refused', async () => {
    await expect(readEvidenceFile(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

describe('a dispute', () => {
  const evidence: Evidence = { kind: 'not-in-log', receipt: toSignedReceiptStruct(storedOf(channel('c1'), 1)) };
  const sender = { address: usdc, send: () => Promise.reject(new Error('signed')) };

  it("costs the claimant's bond where it is a challenge, and only gas where the evidence speaks for itself", async () => {
    const deployment = fakeDeployment({ termsOf: { claimantBond: 5n, minPenalty: 1n } });
    expect(await readDisputeCost(deployment, evidence)).toEqual({ token: usdc, bond: 5n });
    const { receipt } = evidence;
    expect(await readDisputeCost(deployment, { kind: 'unpublished-prices', receipt })).toMatchObject({ bond: 0n });
  });

  it('cannot be opened in a token without terms', async () => {
    const deployment = fakeDeployment({ termsOf: { claimantBond: 0n, minPenalty: 0n } });
    await expect(readDisputeCost(deployment, evidence)).rejects.toThrow('no terms');
  });

  it('signs nothing if the wallet cannot put up the bond', async () => {
    const deployment = fakeDeployment({ balanceOf: 4n });
    const opening = openDispute(deployment, sender, { evidence, cost: { token: usdc, bond: 5n } });
    await expect(opening).rejects.toThrow("the dispute's bond is 0.000005 USDC");
  });

  it('is listed with who has how long', async () => {
    const record = { state: 1, openedAt: 100, claimant: usdc, payer: usdc, token: usdc, channelId: zeroBytes32 };
    const amounts = { sequence: 1n, amount: 1n, penalty: 1n, bond: 1n, frozen: 0n, outstanding: 0n };
    const deployment = fakeDeployment({
      disputeCount: 2n,
      ANSWER_WINDOW: 10n,
      RULING_WINDOW: 1_000n,
      getDispute: (id: bigint) => ({ ...record, ...amounts, kind: id === 1n ? 7 : 8 }),
    });
    expect(await readDisputes(deployment)).toMatchObject([
      { id: 1n, kind: 'not-in-log', state: 'open', decidedBy: 110 },
      { id: 2n, kind: 'metering', state: 'open', decidedBy: 1_100 },
    ]);
    expect(await readDisputes(deployment, 2n)).toHaveLength(1);
    await expect(readDisputes(deployment, 3n)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
