import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BaseError, decodeFunctionData, encodeErrorResult } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { toHex, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
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
import { readClaim } from './read-claim.ts';

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
    // What did not fit when it came proves nothing of what was paid.
    for (const id of ['c1', 'c3'])
      await receipts.append({ ...storedOf(channel(id), 99), problems: ['its running total is above what was signed'] });
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

describe('what evidence claims', () => {
  const signed = (changes: Partial<CallReceipt> = {}): SignedReceiptStruct => ({
    ...toSignedReceiptStruct(storedOf(channel('c1'), 1)),
    entry: toHex(encodeReceipt({ ...receiptOf(channel('c1'), 1), ...changes })),
  });
  const row = { ...plainPrices(3n), model: 'm', token: usdc, inUsd: false, request: 2n };
  const place = { index: 0n, size: 1n, path: [] };
  const anchor = { size: 1n, previousSize: 0n, anchoredAt: 0n, root: zeroBytes32, cid: zeroBytes32 };
  const anchored = (changes: Partial<CallReceipt> = {}) => ({
    entry: signed(changes).entry,
    index: 0n,
    anchor,
    path: [],
  });

  it.each<[Evidence, bigint]>([
    [{ kind: 'duplicate-sequence', one: signed(), other: signed({ amount: 12n }) }, 12n],
    [{ kind: 'duplicate-sequence', one: signed({ amount: 13n }), other: signed() }, 13n],
    [{ kind: 'wrong-running-total', earlier: null, later: signed({ runningTotal: 17n }) }, 7n],
    [{ kind: 'wrong-running-total', earlier: signed({ runningTotal: 4n }), later: signed({ runningTotal: 17n }) }, 3n],
    [{ kind: 'wrong-running-total', earlier: signed(), later: signed() }, 0n],
    [{ kind: 'rewritten-index', earlier: anchored(), later: anchored({ amount: 99n }) }, 10n],
    // A unit for the tokens, rounded up, and two for the call.
    [{ kind: 'overcharge', receipt: signed(), proven: { row, ...place } }, 7n],
    [{ kind: 'overcharge', receipt: signed(), proven: { row: { ...row, inUsd: true }, ...place } }, 10n],
    [{ kind: 'overcharge', receipt: signed({ amount: 1n }), proven: { row, ...place } }, 0n],
    [{ kind: 'unpublished-prices', receipt: signed() }, 10n],
    [{ kind: 'not-in-log', receipt: signed() }, 10n],
    [{ kind: 'metering', receipt: signed(), amount: 4n }, 4n],
  ])('of a call is known before anything is signed (%#)', async (evidence, refund) => {
    const claim = await readClaim(fakeDeployment(), evidence);
    expect(claim).toMatchObject({ channelId: channel('c1'), token: usdc, refund });
    expect(claim.call?.callId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('of a channel is what it paid beyond the last receipt', async () => {
    const deployment = fakeDeployment({ getChannel: { token: usdc, settled: 25n } });
    const claimed = async (last: SignedReceiptStruct | null) =>
      readClaim(deployment, { kind: 'settled-beyond-receipt', channelId: channel('c1'), last });
    expect(await claimed(signed())).toEqual({ channelId: channel('c1'), token: usdc, call: null, refund: 15n });
    expect(await claimed(null)).toMatchObject({ refund: 25n });
    expect(await claimed(signed({ runningTotal: 30n }))).toMatchObject({ refund: 0n });
  });
});

describe('a dispute', () => {
  const evidence: Evidence = { kind: 'not-in-log', receipt: toSignedReceiptStruct(storedOf(channel('c1'), 1)) };
  const sender = { address: usdc, send: () => Promise.reject(new Error('signed')) };

  it("costs the claimant's bond where it is a challenge, and only gas where the evidence speaks for itself", async () => {
    const deployment = fakeDeployment({ termsOf: { claimantBond: 5n, minPenalty: 1n } });
    expect(await readDisputeCost(deployment, { evidence, token: usdc })).toEqual({ token: usdc, bond: 5n });
    const oneShot: Evidence = { kind: 'unpublished-prices', receipt: evidence.receipt };
    expect(await readDisputeCost(deployment, { evidence: oneShot, token: usdc })).toMatchObject({ bond: 0n });
  });

  it('cannot be opened in a token without terms', async () => {
    const deployment = fakeDeployment({ termsOf: { claimantBond: 0n, minPenalty: 0n } });
    await expect(readDisputeCost(deployment, { evidence, token: usdc })).rejects.toThrow('no terms');
  });

  it('signs nothing if the wallet cannot put up the bond', async () => {
    const deployment = fakeDeployment({ balanceOf: 4n });
    const opening = openDispute(deployment, sender, { evidence, cost: { token: usdc, bond: 5n } });
    await expect(opening).rejects.toThrow("the dispute's bond is 0.000005 USDC");
  });

  it('whose evidence does not hold has no bond approved for it', async () => {
    const sent: string[] = [];
    const counting = {
      address: usdc,
      send: (what: string) => {
        sent.push(what);
        return Promise.reject(new Error(`sent ${what}`));
      },
    };
    const open = (errorName: string, error: Hex) => {
      const deployment = fakeDeployment({ balanceOf: 5n, allowance: 0n });
      const reverted = new BaseError(errorName, { cause: Object.assign(new BaseError('reverted'), { data: error }) });
      const reader = { ...deployment.reader, call: () => Promise.reject(reverted) } as never;
      return openDispute({ ...deployment, reader }, counting, { evidence, cost: { token: usdc, bond: 5n } });
    };
    const tooEarly = encodeErrorResult({ abi: billingDisputesAbi, errorName: 'BillingDisputes_TooEarly', args: [9n] });
    await expect(open('TooEarly', tooEarly)).rejects.toThrow(
      'The dispute is refused by the chain: it is too early; try again from 1970-01-01T00:00:09Z on (BillingDisputes_TooEarly(readyAt: 9))',
    );
    expect(sent).toEqual([]);
    // The token's own refusal: the bond is not approved yet.
    await expect(open('no allowance', '0xfb8f41b2')).rejects.toThrow('sent Approving');
    expect(sent).toEqual(["Approving the claimant's bond"]);
  });
});
