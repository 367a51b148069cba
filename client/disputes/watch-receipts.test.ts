import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { openReceiptStore, type ReceiptStore, type StoredReceipt } from '../receipt-store.ts';
import { makeReceipt, signReceipts } from '../testing/sign-receipts.ts';
import { readEvidenceFile } from './build-evidence.ts';
import { createReceiptWatch, type ReceiptWatch } from './watch-receipts.ts';

let folder: string;
let store: ReceiptStore;
let warnings: string[];
let watch: ReceiptWatch;
/** Of the receipts whose price was looked at. */
let priced: string[];
/** From where the record was read. */
let offsets: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-watch-'));
  store = openReceiptStore(folder);
  [warnings, priced, offsets] = [[], [], []];
  watch = startWatch();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function startWatch(): ReceiptWatch {
  const readFrom: ReceiptStore['readFrom'] = (from) => {
    offsets.push(from);
    return store.readFrom(from);
  };
  return createReceiptWatch({
    receipts: { readFrom },
    stateDir: folder,
    onWarning: (warning) => warnings.push(warning),
  });
}

const at = (sequence: number, amount = 10n): CallReceipt =>
  makeReceipt({ sequence, amount, runningTotal: BigInt(sequence - 1) * 10n + amount });

/** A receipt arrives. */
async function arrive(receipt: CallReceipt, problems: string[] = []): Promise<StoredReceipt> {
  const [stored] = signReceipts([receipt], { problems });
  if (!stored) throw new Error('nothing was signed');
  await store.append(stored);
  await watch.judge(stored, ({ receipt: { callId } }) => {
    priced.push(callId);
    return Promise.resolve([]);
  });
  return stored;
}

const files = () => readdir(join(folder, 'evidence'));

describe('the watch over receipts', () => {
  it('says nothing of honest ones that come out of order, with holes and again', async () => {
    await Promise.all([4, 1, 6, 3].map((sequence) => arrive(at(sequence))));
    const again = await arrive(at(9));
    await watch.judge(again, () => Promise.resolve([]));
    expect(warnings).toEqual([]);
    await expect(files()).rejects.toThrow('ENOENT');
  });

  it('warns of a contradiction once, and names the file that a dispute is opened with', async () => {
    await arrive(at(3));
    await arrive(at(3, 11n));
    await arrive(at(4));
    const [name = ''] = await files();
    const file = join(folder, 'evidence', name);
    expect(warnings).toEqual([expect.stringContaining(`"autopay dispute open --evidence ${file}" claims the refund`)]);
    expect(warnings[0]).toContain('sequence number 3 of the channel has two receipts');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readEvidenceFile(file)).toMatchObject({ kind: 'duplicate-sequence' });
  });

  it('remembers over a restart what came before it, and what it warned of', async () => {
    await arrive(at(3));
    watch = startWatch();
    await arrive(at(3, 11n));
    expect(warnings).toHaveLength(1);
    watch = startWatch();
    await arrive(at(5));
    expect(warnings).toHaveLength(1);
  });

  it('says nothing of what is too old for a dispute', async () => {
    const signedAtMs = Date.now() - 31 * 86_400_000;
    for (const old of signReceipts([at(3), at(3, 12n)], { signedAtMs })) await store.append(old);
    await arrive(at(3, 11n));
    expect(warnings).toEqual([]);
  });

  it('sees receipts that another process of the same folder put there', async () => {
    const [other] = signReceipts([at(3)]);
    await arrive(at(5));
    if (other) await openReceiptStore(folder).append(other);
    await arrive(at(3, 11n));
    expect(warnings).toEqual([expect.stringContaining('has two receipts')]);
  });

  it('looks at price and delivery where something did not fit, and only there', async () => {
    await arrive(at(1));
    await expect(files()).rejects.toThrow('ENOENT');
    expect(priced).toEqual([]);
    const wrong = await arrive(at(2), ['it commits to another answer']);
    expect(priced).toEqual([wrong.callId]);
    expect(await files()).toEqual([expect.stringMatching(/^metering-/)]);
  });

  it('reads on in the record, not all of it again', async () => {
    for (const sequence of [1, 2, 3]) await arrive(at(sequence));
    expect(offsets[0]).toBeLessThan(0);
    expect(offsets[1]).toBeGreaterThan(0);
    expect(offsets[2]).toBeGreaterThan(offsets[1] ?? 0);
  });

  it('waits for no chain: neither this answer nor the next', { timeout: 5_000 }, async () => {
    const [stored] = signReceipts([at(1)], { problems: ['its amount is above price times usage'] });
    if (!stored) throw new Error('nothing was signed');
    await store.append(stored);
    await watch.judge(stored, () => Promise.withResolvers<never>().promise);
    await arrive(at(1, 11n));
    expect(warnings).toEqual([expect.stringContaining('has two receipts')]);
  });

  it('costs no answer when it cannot do its work', async () => {
    await arrive(at(1));
    const [stored] = signReceipts([at(2)], { problems: ['its amount is above price times usage'] });
    if (stored) await watch.judge(stored, () => Promise.reject(new Error('the chain is away.')));
    expect(warnings).toEqual([expect.stringContaining('could not be judged: the chain is away.')]);
  });
});
