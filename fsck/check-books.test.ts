import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCallId } from '../protocol/receipt/call-id.ts';
import { keepPriceTable } from '../server/audit/keep-price-table.ts';
import { runAnchoring } from '../server/audit/run-anchoring.ts';
import { runCollection } from '../server/collection/run-collection.ts';
import { chargeCall, localBudget } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack, type TestChannel } from '../test/support/deploy-stack.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import {
  amountBlob,
  failuresAfter as failuresIn,
  pricesIn,
  writeCheckerConfig,
  type Tampering,
} from '../test/support/tamper-books.ts';
import { signDigest } from '../protocol/bytes/secp256k1.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';
import { checkBooks } from './check-books.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { readPriceRows } from './read-prices.ts';
import { readSettings } from './read-settings.ts';

let stack: ChainStack;
let relay: TestRelay;
let channel: TestChannel;
let copy: string;
const deposit = 1_000_000n;

async function charge(amount: bigint, cumulativeAmount: bigint): Promise<void> {
  const priceRoot = rootOfPrices((await readSettings(relay.dataDir)).rows);
  await chargeCall({ ledger: relay.ledger, channel, amount, cumulativeAmount, token: stack.contracts.usdc, priceRoot });
}

beforeAll(async () => {
  stack = await deployStack({
    priceRootOf: (tokens) => rootOfPrices(readPriceRows(pricesIn(tokens)).rows),
  });
  relay = await openTestRelay(stack);
  await writeCheckerConfig(stack, relay.dataDir);
  channel = await stack.openChannel({ deposit });
  await relay.addChannel(channel, deposit);
  // Two collections and two blocks, then calls that wait for both.
  await charge(100n, 1_000n);
  await charge(50n, 1_001n);
  await runCollection(relay.deps());
  await runAnchoring(relay.deps());
  await charge(7n, 1_002n);
  await chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token: stack.contracts.usdc, model: 'sim-free' });
  await runCollection(relay.deps());
  await runAnchoring(relay.deps());
  await charge(3n, 1_003n);
  copy = await mkdtemp(join(tmpdir(), 'autopay-fsck-'));
});
afterAll(async () => {
  await relay?.close();
  await stack?.stop();
  await rm(copy, { recursive: true, force: true });
});

function failuresAfter(change: Tampering, offline = false): Promise<string[]> {
  return failuresIn(change, { dataDir: relay.dataDir, into: copy, offline });
}

describe('checkBooks', () => {
  it('finds that the books of an honest relay agree with the chain, while the relay has them open', async () => {
    const report = await checkBooks({ dataDir: relay.dataDir });
    expect(report.claims.filter((claim) => !claim.ok)).toEqual([]);
    expect(report.claims.map((claim) => claim.name)).toEqual([
      'receipts_decode',
      'receipts_chain',
      'charges_within_reservations',
      'prices_recomputed',
      'receipts_signed',
      'channels_add_up',
      'vouchers_cover',
      'payments_add_up',
      'totals_add_up',
      'scopes_add_up',
      'collections_cover_charges',
      'model_days_add_up',
      'blocks_hold_log',
      'same_deployment',
      'signers_are_relay',
      'anchors_match',
      'escrow_matches',
      'bookings_match',
      'allowances_match',
      'tables_in_force',
      'conversions_recomputed',
      'budgets_kept',
    ]);
    const details = report.claims.map((claim) => claim.detail).join('\n');
    expect(details).toContain('4 amounts are price times usage');
    expect(details).toContain('the escrow has paid 157 from 1 channels');
    expect(details).toContain('booked 157');
    expect(details).toContain(`160 of ${stack.contracts.usdc} (157 booked, 3 not yet, 0 lost)`);
    expect(await failuresAfter({})).toEqual([]);
  });

  it('checks the books of a reservation under way', async () => {
    const now = Date.now();
    const callId = createCallId();
    const voucher = { channelId: channel.channelId, cumulativeAmount: 2_000n, signature: channel.sign(2_000n) };
    const outcome = await relay.ledger.reserve({
      ...{
        callId,
        funds: { kind: 'voucher', voucher },
        scopes: [],
        idempotency: null,
        maxUnsettled: null,
        keyId: null,
        quote: 500n,
        model: 'sim-small',
        budget: localBudget(now),
      },
      ...{ token: stack.contracts.usdc, admittedAtMs: now, leaseUntilMs: now + 60_000 },
    });
    if (!outcome.ok) throw new Error(outcome.refusal.code);
    await outcome.durable;
    expect(await failuresAfter({})).toEqual([]);
    expect(await failuresAfter({ sql: `UPDATE channels SET reserved = ${amountBlob(499)}` }, true)).toEqual([
      'channels_add_up',
    ]);
    // One unit less of the quote: 10^14 AGPT wei less than the day holds.
    expect(
      await failuresAfter({ sql: `UPDATE calls SET quote = ${amountBlob(499)} WHERE state = 'reserved'` }, true),
    ).toEqual(['channels_add_up', 'model_days_add_up']);
    await relay.ledger.release({ callId, reason: 'client_gone', attempts: [] });
  });

  it.each([
    [
      'a receipt byte',
      `UPDATE charges SET entry = CAST(substr(entry, 1, 100) || x'01' || substr(entry, 102) AS BLOB) WHERE log_index = 0`,
      ['receipts_decode'],
    ],
    [
      'an amount beside its receipt',
      `UPDATE charges SET amount = ${amountBlob(1)} WHERE log_index = 0`,
      ['receipts_decode'],
    ],
    [
      'a deleted receipt',
      'DELETE FROM charges WHERE log_index = 1',
      ['receipts_decode', 'receipts_chain', 'receipts_signed', 'channels_add_up'],
    ],
    [
      'a batch signature',
      `UPDATE receipt_batches SET signature = zeroblob(65) WHERE batch_id = 1`,
      ['receipts_signed'],
    ],
    [
      'the time of a signature',
      'UPDATE receipt_batches SET signed_at_ms = signed_at_ms + 1 WHERE batch_id = 1',
      ['receipts_signed'],
    ],
    [
      'a charge above its reservation',
      `UPDATE calls SET quote = ${amountBlob(99)} WHERE quote = ${amountBlob(100)}`,
      ['charges_within_reservations'],
    ],
    ['a channel that owes less', `UPDATE channels SET charged = ${amountBlob(159)}`, ['channels_add_up']],
    [
      'a voucher that nobody signed',
      `UPDATE channels SET accepted_cumulative = ${amountBlob(1_500)}`,
      ['vouchers_cover'],
    ],
    ['a salt', 'UPDATE channels SET salt = zeroblob(32)', ['vouchers_cover']],
    [
      'a claim',
      `UPDATE collection_claims SET claimed = ${amountBlob(149)} WHERE claimed = ${amountBlob(150)}`,
      ['collections_cover_charges'],
    ],
    [
      'a charge that was never collected',
      'UPDATE charges SET collection_id = 1 WHERE log_index = 4',
      ['collections_cover_charges'],
    ],
    [
      'what a model has spent of its day',
      `UPDATE model_days SET charged_agpt = ${amountBlob(1)}`,
      ['model_days_add_up'],
    ],
    ['a day that is gone', 'DELETE FROM model_days', ['model_days_add_up']],
    ['a paid call that counts nowhere', 'UPDATE calls SET budget_rate = NULL', ['model_days_add_up']],
    ['a block that is not listed', 'DELETE FROM blocks WHERE start = 0', ['blocks_hold_log']],
    ['the root of a block', `UPDATE blocks SET root = zeroblob(32) WHERE start = 0`, ['blocks_hold_log']],
  ])('finds %s', async (_name, sql, expected) => {
    expect(await failuresAfter({ sql }, true)).toEqual(expect.arrayContaining(expected));
  });

  it.each([
    [
      'an anchor that was never sent',
      `UPDATE anchors SET transaction_hash = zeroblob(32) WHERE size = 2`,
      ['anchors_match'],
    ],
    [
      'a collection that never happened',
      `UPDATE collections SET state = 'abandoned', transaction_hash = NULL WHERE collection_id = 2`,
      ['escrow_matches', 'bookings_match'],
    ],
    [
      'a rate that no vote set',
      `UPDATE calls SET budget_rate = ${amountBlob(10 ** 9)} WHERE budget_rate IS NOT NULL`,
      ['budgets_kept'],
    ],
    [
      'a model that was sold beyond its limit',
      `UPDATE model_days SET charged_agpt = ${amountBlob(2 ** 100)}`,
      ['budgets_kept'],
    ],
    ['another deployment', `UPDATE scope SET chain_id = 1`, ['same_deployment']],
    [
      'a log that was rewritten',
      `UPDATE charges SET log_index = -1 - log_index; UPDATE charges SET log_index = 5 + log_index`,
      ['anchors_match'],
    ],
  ])('finds %s by the chain', async (_name, sql, expected) => {
    expect(await failuresAfter({ sql })).toEqual(expect.arrayContaining(expected));
  });

  it('finds damaged and missing blocks', async () => {
    const firstBlock = async (folder: string) =>
      join(folder, 'blocks', (await readdir(join(folder, 'blocks')))[0] ?? '');
    expect(
      await failuresAfter({ files: async (folder) => writeFile(await firstBlock(folder), 'damaged') }, true),
    ).toEqual(['blocks_hold_log']);
    expect(await failuresAfter({ files: async (folder) => rm(await firstBlock(folder)) }, true)).toEqual([
      'blocks_hold_log',
    ]);
  });

  it('finds a signature from before its key was one', async () => {
    const backdate = async (folder: string): Promise<void> => {
      const db = new DatabaseSync(join(folder, 'ledger.sqlite'));
      const row = db.prepare('SELECT root, size FROM receipt_batches WHERE batch_id = 1').get();
      const batch = { root: row?.['root'] as Uint8Array, size: Number(row?.['size']), signedAtMs: 1_000 };
      const scope = { chainId: stack.chain.chainId, verifyingContract: stack.contracts.autoPayLLM };
      const signature = signDigest(receiptBatchDigest(receiptDomainSeparator(scope), batch), stack.relayKey);
      db.prepare('UPDATE receipt_batches SET signed_at_ms = 1000, signature = ? WHERE batch_id = 1').run(signature);
      db.close();
    };
    expect(await failuresAfter({ files: backdate })).toEqual(['signers_are_relay']);
  });

  it('finds amounts that are not price times usage under the table that they name, which has to be there', async () => {
    const { rows } = await readSettings(relay.dataDir);
    const changed = (folder: string) => writeCheckerConfig(stack, folder, '2');
    const kept = async (folder: string) => {
      await changed(folder);
      await keepPriceTable(join(folder, 'prices'), rows);
    };
    // Another table has another root: without the one that the receipts name, nothing could be said of them.
    expect(await failuresAfter({ files: changed }, true)).toEqual(['prices_recomputed']);
    expect(await failuresAfter({ files: kept }, true)).toEqual([]);
    await chargeCall({
      ledger: relay.ledger,
      channel,
      amount: 9n,
      tokens: 8,
      cumulativeAmount: 2_500n,
      token: stack.contracts.usdc,
      priceRoot: rootOfPrices(rows),
    });
    expect(await failuresAfter({ files: kept }, true)).toEqual(['prices_recomputed']);
    expect(await failuresAfter({})).toEqual(['prices_recomputed']);
  });

  it('finds a price table that was never published', async () => {
    await chargeCall({
      ...{ ledger: relay.ledger, channel, amount: 1n, cumulativeAmount: 3_000n, token: stack.contracts.usdc },
      priceRoot: `0x${'77'.repeat(32)}`,
    });
    expect(await failuresAfter({})).toEqual(['prices_recomputed', 'tables_in_force']);
  });

  it('says it on the command line, with an exit code', async () => {
    const run = (args: readonly string[]) =>
      promisify(execFile)(process.execPath, ['fsck/main.ts', ...args]).catch(
        (error: { code: number; stdout: string; stderr: string }) => error,
      );
    const failing = await run(['--data-dir', relay.dataDir, '--json']);
    expect(failing).toMatchObject({ code: 1 });
    expect(JSON.parse(failing.stdout)).toMatchObject({ ok: false });
    expect(await run(['--data-dir', copy])).toMatchObject({ code: 1, stderr: expect.stringContaining('autopay.yaml') });
    expect(await run(['--nonsense'])).toMatchObject({ code: 2 });
    expect((await run(['--help'])).stdout).toContain('--data-dir');
  });
});
