import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeReceipt, receiptChannel, signReceipts } from '../testing/sign-receipts.ts';
import { readEvidenceFile } from './build-evidence.ts';
import type { Evidence } from './evidence-schema.ts';
import { findingOf, holdReceipt, type Finding } from './held-receipt.ts';
import { writeEvidence } from './write-evidence.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-evidence-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const [held] = signReceipts([makeReceipt()]).flatMap((stored) => holdReceipt(stored) ?? []);
if (!held) throw new Error('the receipt is none');
const { struct, receipt } = held;
const row = { model: 'm', token: receipt.token, inUsd: false, ...plainPrices(0n), prompt: 2n ** 127n };
const anchor = { size: 5n, previousSize: 0n, anchoredAt: 7n, root: receiptChannel, cid: receiptChannel };
const anchored = { entry: struct.entry, index: 3n, anchor, path: [receiptChannel] };
/** One of each kind. */
const every: Evidence[] = [
  { kind: 'duplicate-sequence', one: struct, other: struct },
  { kind: 'wrong-running-total', earlier: null, later: struct },
  { kind: 'rewritten-index', earlier: anchored, later: anchored },
  { kind: 'overcharge', receipt: struct, proven: { row, index: 0n, size: 1n, path: [] } },
  { kind: 'unpublished-prices', receipt: struct },
  { kind: 'settled-beyond-receipt', channelId: receiptChannel, last: null },
  { kind: 'not-in-log', receipt: struct },
  { kind: 'metering', receipt: struct, amount: 10n },
];
const findingFor = (evidence: Evidence): Finding => findingOf(evidence, held, 'it lied');

describe('an evidence file', () => {
  it.each(every.map((evidence) => [evidence.kind, evidence] as const))(
    'of %s is read as it was written',
    async (_, evidence) => {
      const { file } = await writeEvidence(folder, findingFor(evidence));
      expect(await readEvidenceFile(file)).toEqual(evidence);
    },
  );

  it('is for its owner only, whole, and named after what it is about', async () => {
    const { file, isNew } = await writeEvidence(folder, findingFor(every[0] as Evidence));
    expect([isNew, (await stat(file)).mode & 0o777]).toEqual([true, 0o600]);
    expect((await stat(join(folder, 'evidence'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'evidence'))).toEqual([
      expect.stringMatching(new RegExp(`^duplicate-sequence-${receipt.callId}-[0-9a-f]{8}\\.json$`)),
    ]);
  });

  it('of a whole channel is named after it; the same evidence is one file', async () => {
    const finding = { ...findingFor(every[5] as Evidence), callId: null };
    const first = await writeEvidence(folder, finding);
    expect(first.file).toContain(`settled-beyond-receipt-${receiptChannel.slice(0, 18)}-`);
    expect(await writeEvidence(folder, finding)).toEqual({ file: first.file, isNew: false });
  });
});
