import { BaseError, encodeErrorResult } from 'viem';
import { describe, expect, it } from 'vitest';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { fakeDeployment, fakeNow, type FakeAnswers } from '../testing/fake-deployment.ts';
import { makeReceipt, receiptChannel, receiptSigner, signReceipts } from '../testing/sign-receipts.ts';
import { findFraud, type FraudSources } from './find-fraud.ts';
import type { LogView } from './find-log-fraud.ts';
import type { PriceFacts } from './find-wrong-price.ts';
import { holdReceipt } from './held-receipt.ts';
import type { StoredReceipt } from '../receipt-store.ts';

const mergeDelay = 1_800;
/** Long enough before the fake chain's time that its receipts have to be in the log. */
const atMs = (fakeNow - 2 * mergeDelay) * 1_000;
const fits: PriceFacts = {
  isInForce: async () => true,
  rowsOf: async () => undefined,
  readConversion: async () => null,
};

const at = (sequence: number, change: Partial<CallReceipt> = {}): CallReceipt =>
  makeReceipt({ sequence, runningTotal: BigInt(sequence) * 10n, admittedAtMs: atMs, chargedAtMs: atMs, ...change });
const sign = (...receipts: CallReceipt[]): StoredReceipt[] => signReceipts(receipts, { signedAtMs: atMs });

/** A log of these receipts, in their order. */
function logOf(receipts: readonly StoredReceipt[], rewritten: LogView['rewritten'] = []): LogView {
  const held = receipts.flatMap((stored) => holdReceipt(stored) ?? []);
  return {
    readAt: fakeNow,
    size: held.length,
    indexOf: (leaf) => {
      const index = held.findIndex((one) => one.leaf === leaf);
      return index < 0 ? undefined : index;
    },
    entriesOf: (channelId) =>
      held.flatMap(({ receipt }, index) => (receipt.channelId === channelId ? [{ index, ...receipt }] : [])),
    rewritten,
  };
}

interface Search {
  log?: LogView;
  answers?: FakeAnswers;
  refusal?: Error;
  channels?: FraudSources['channels'];
}

/** What is found, where the chain takes all evidence unless told otherwise. */
async function search(receipts: readonly StoredReceipt[], { log, answers = {}, refusal, channels = [] }: Search = {}) {
  const deployment = fakeDeployment({
    isValidAt: (signer: string) => signer === receiptSigner,
    getChannel: { settled: 0n },
    maxMergeDelay: BigInt(mergeDelay),
    ...answers,
  });
  if (refusal) deployment.reader.call = () => Promise.reject(refusal);
  return findFraud({ deployment, receipts, channels, prices: fits, log });
}

const kindsOf = ({ findings }: Awaited<ReturnType<typeof search>>) => findings.map(({ evidence }) => evidence.kind);
/** That the channel has paid so much, in a batch at a time. */
const settledBy = (settled: bigint, timestamp: number): FakeAnswers => ({
  getChannel: { settled },
  BatchSettled: [{ args: { settlements: `0x${receiptChannel.slice(2)}00` }, blockNumber: 5n }],
  getBlock: { timestamp: BigInt(timestamp) },
});

describe('an honest record', () => {
  const honest = sign(at(1), at(2), at(3));

  it('has no fault, whether the log is at hand or not', async () => {
    expect(kindsOf(await search(honest, { log: logOf(honest) }))).toEqual([]);
    expect(kindsOf(await search(honest))).toEqual([]);
  });

  it('has none where receipts were lost, and the log accounts for what was collected', async () => {
    const answers = settledBy(30n, fakeNow - 2 * mergeDelay);
    const report = await search(honest.slice(0, 1), { log: logOf(honest), answers });
    expect(kindsOf(report)).toEqual([]);
    expect(report.open).toEqual([
      expect.stringContaining('the price table'),
      expect.stringContaining('accounts for it'),
    ]);
  });

  it('has none while the log need not have what was charged or collected just now', async () => {
    const young = signReceipts([at(4, { chargedAtMs: (fakeNow - 10) * 1_000 })], {
      signedAtMs: (fakeNow - 10) * 1_000,
    });
    const all = [...honest, ...young];
    const report = await search(all, { log: logOf(honest), answers: settledBy(55n, fakeNow - 10) });
    expect(kindsOf(report)).toEqual([]);
    expect(report.open.at(-1)).toContain('seconds to log what it took');
  });

  it('has none where the log was read before the time was over, however long the reading took', async () => {
    const log = { ...logOf(honest.slice(0, 2)), readAt: atMs / 1_000 + mergeDelay - 1 };
    const report = await search(honest, { log, answers: settledBy(55n, atMs / 1_000) });
    expect(kindsOf(report)).toEqual([]);
    expect(report.open.at(-1)).toContain('seconds to log what it took');
  });

  it('has none by clocks that differ: a receipt that was signed later than it was charged', async () => {
    const skewed = signReceipts([at(1, { chargedAtMs: atMs + 86_400_000 })], { signedAtMs: fakeNow * 1_000 });
    expect(kindsOf(await search(skewed, { log: logOf([]) }))).toEqual([]);
  });

  it('has none on another chain, and what a stranger signed is no receipt', async () => {
    const stranger = signReceipts([at(3, { amount: 11n })], { signedAtMs: atMs, key: Buffer.alloc(32, 9) });
    const elsewhere = signReceipts([at(3, { amount: 12n })], { signedAtMs: atMs, chainId: 10 });
    const report = await search([...honest, ...stranger, ...elsewhere], { log: logOf(honest) });
    expect(kindsOf(report)).toEqual([]);
    expect(report.open.join()).toContain('was no key of the relay');
    expect(report.judged).toEqual({ receipts: 3, channels: 1 });
  });

  it('has holes where calls were broken off', async () => {
    const report = await search(sign(at(1), at(4)), { log: logOf(sign(at(1), at(2), at(3), at(4))) });
    expect(report.holes).toEqual([expect.objectContaining({ from: 2, to: 3, charged: 20n })]);
    const foreign = signReceipts([at(9)], { signedAtMs: atMs, problems: ['it charges channel 0xc4…'] });
    expect((await search(foreign)).holes).toEqual([]);
  });
});

describe('fraud', () => {
  const honest = sign(at(1), at(2), at(3));

  it('is a receipt that is not in the log when its time is over', async () => {
    const report = await search(honest, { log: logOf(honest.slice(0, 2)) });
    expect(kindsOf(report)).toEqual(['not-in-log']);
    expect(report.findings[0]?.callId).toBe(honest[2]?.callId);
  });

  it('is one whose time counts from the charge, though it was signed late', async () => {
    const late = signReceipts([at(1)], { signedAtMs: (fakeNow - 10) * 1_000 });
    expect(kindsOf(await search(late, { log: logOf([]) }))).toEqual(['not-in-log']);
  });

  it('is a settlement that neither receipts nor log account for', async () => {
    const answers = settledBy(31n, fakeNow - 2 * mergeDelay);
    const report = await search(honest, { log: logOf(honest), answers });
    expect(report.findings).toMatchObject([{ evidence: { kind: 'settled-beyond-receipt' }, callId: null }]);
    // Without the log nobody knows: the payer may have lost receipts.
    const without = await search(honest, { answers });
    expect(kindsOf(without)).toEqual([]);
    expect(without.open.at(-1)).toContain('only the log can tell');
  });

  it('is what was taken from a channel that never got a receipt', async () => {
    const { payer, token } = makeReceipt();
    const channels = [{ channelId: receiptChannel, payer, token }];
    const answers = settledBy(30n, fakeNow - 2 * mergeDelay);
    const [finding] = (await search([], { channels, log: logOf([]), answers })).findings;
    expect(finding).toMatchObject({
      evidence: { kind: 'settled-beyond-receipt', last: null },
      channelId: receiptChannel,
    });
    // It may have been spent by API keys, whose receipts others have: the log accounts for it.
    expect(kindsOf(await search([], { channels, log: logOf(honest), answers }))).toEqual([]);
  });

  it('is an entry that two anchors have two receipts for', async () => {
    const entryOf = ({ receipt }: StoredReceipt) => decodeSignedReceipt(receipt).entry;
    const [first, second] = honest;
    if (!first || !second) throw new Error('there are three');
    const place = { index: 0n, path: [] };
    const anchor = { size: 2n, previousSize: 0n, anchoredAt: 1n, root: receiptChannel, cid: receiptChannel };
    const entry = (stored: StoredReceipt): `0x${string}` => `0x${Buffer.from(entryOf(stored)).toString('hex')}`;
    const rewritten = [
      {
        earlier: { ...place, entry: entry(first), anchor },
        later: { ...place, entry: entry(second), anchor: { ...anchor, size: 3n } },
      },
    ];
    const report = await search(honest, { log: logOf(honest, rewritten) });
    expect(kindsOf(report)).toEqual(['rewritten-index']);
    expect(report.findings[0]?.callId).toBe(decodeReceipt(entryOf(first)).callId);
  });

  it('is another answer than the one that came, also where its prices are not at hand any more', async () => {
    const wrong = signReceipts([at(1)], { signedAtMs: atMs, problems: ['it commits to another answer'] });
    expect(kindsOf(await search(wrong))).toEqual(['metering']);
  });

  it('is a settlement after the newest receipt has become too old to be shown', async () => {
    const monthAgo = (fakeNow - 31 * 86_400) * 1_000;
    const old = signReceipts([at(1, { chargedAtMs: monthAgo })], { signedAtMs: monthAgo });
    const answers = settledBy(30n, fakeNow - 2 * mergeDelay);
    const report = await search(old, { log: logOf(old), answers });
    expect(report.findings).toMatchObject([{ evidence: { kind: 'settled-beyond-receipt', last: null } }]);
    expect(report.open).toContain('1 receipts were signed more than 30 days ago, and are no evidence any more');
  });

  it('is two receipts for one place', async () => {
    expect(kindsOf(await search([...honest, ...sign(at(3, { amount: 9n }))]))).toContain('duplicate-sequence');
  });
});

describe('evidence that the contract would refuse', () => {
  const double = sign(at(3), at(3, { amount: 9n }));

  it('is left open, with the reason', async () => {
    const refusal = revert(
      encodeErrorResult({
        abi: billingDisputesAbi,
        errorName: 'BillingDisputes_AlreadyDisputed',
        args: [receiptChannel],
      }),
    );
    const report = await search(double, { refusal });
    expect(report.findings).toEqual([]);
    expect(report.open.at(-1)).toContain('this was disputed before, and counts once');
  });

  it('is not what only lacks the claimant’s bond', async () => {
    const refusal = revert('0x08c379a0');
    expect(kindsOf(await search(sign(at(3)), { log: logOf([]), refusal }))).toEqual(['not-in-log']);
    // Where none is asked for, it is no excuse.
    expect(kindsOf(await search(double, { refusal }))).toEqual([]);
  });
});

function revert(data: string): BaseError {
  return new BaseError('reverted', { cause: Object.assign(new Error('reverted'), { data }) });
}
