import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDeployment } from '../client/chain/open-deployment.ts';
import { toHex } from '../protocol/bytes/hex.ts';
import type { DeployedTokens } from '../protocol/deployment/deployment-schema.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { runAnchoring } from '../server/audit/run-anchoring.ts';
import { signedOf } from '../server/ledger/ledger-fixtures.ts';
import type { ChargeResult } from '../server/ledger/ledger.ts';
import { chargeCall } from '../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../test/support/deploy-stack.ts';
import { anchorFalsely, forgeLog, ForgedBlocks } from '../test/support/forge-log.ts';
import { openTestRelay, type TestRelay } from '../test/support/open-test-relay.ts';
import { verifyHistory, type VerifyHistoryOptions } from './verify-history.ts';

/** A unit for each prompt token. */
function rowsOf(tokens: DeployedTokens): PriceRow[] {
  return [{ model: 'sim-small', token: tokens['USDC']?.address ?? '0x', inUsd: false, ...plainPrices(1_000_000n) }];
}

let stack: ChainStack;
let relay: TestRelay;
let rows: PriceRow[];
const calls: ChargeResult[] = [];

beforeAll(async () => {
  stack = await deployStack({ priceRootOf: (tokens) => rootOfPrices(rowsOf(tokens)) });
  relay = await openTestRelay(stack);
  rows = rowsOf(stack.deployment.tokens);
  const channel = await stack.openChannel({ deposit: 1_000_000n });
  await relay.addChannel(channel, 1_000_000n);
  const common = { ledger: relay.ledger, token: stack.contracts.usdc, priceRoot: rootOfPrices(rows) };
  let cumulativeAmount = 0n;
  for (const amount of [10n, 20n, 30n, 40n]) {
    cumulativeAmount += amount;
    calls.push(await chargeCall({ ...common, channel, amount, cumulativeAmount }));
    await chargeCall({ ...common, channel: null, amount: 0n });
    if (amount === 20n) await runAnchoring(relay.deps());
  }
  await runAnchoring(relay.deps());
});
afterAll(async () => {
  await relay?.close();
  await stack?.stop();
});

async function verify(overrides: Partial<VerifyHistoryOptions> = {}) {
  const { contracts, chain, payer } = stack;
  const found = await verifyHistory({
    ...{ rpcUrl: chain.rpcUrl, chainId: chain.chainId, contracts, deployedAtBlock: contracts.deployedAtBlock, payer },
    ...{ receipts: calls.map(signedOf), priceTables: [rows], blockSource: relay.blocks },
    ...overrides,
  });
  const said = found.claims.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`);
  return { ...found, said, failed: said.filter((_, index) => found.claims[index]?.ok === false) };
}

describe('verifyHistory', () => {
  it('verifies every call of a payer, and sums them up', async () => {
    const { ok, failed, said, summary, problems, remember } = await verify();
    expect(failed).toEqual([]);
    expect([ok, problems]).toEqual([true, []]);
    expect(said.map((line) => line.split(':')[0])).toEqual([
      ...[
        'anchored true',
        'blocks_content_addressed true',
        'anchors_agree true',
        'checkpoint_signed null',
        'consistent null',
      ],
      ...['codec true', 'included true', 'receipt_logged true', 'relay_signed true', 'sequence_gap_free true'],
      ...['total_collected true', 'prices_published true', 'price true', 'budget_kept true'],
    ]);
    expect(summary).toMatchObject({
      ...{ size: 8, blockCount: 2, entryCount: 4, elsewhereCount: 0, withheld: [] },
      channels: [{ entries: 4, first: 1, last: 4, total: 100n, settled: 0n, missing: [] }],
      tokens: [{ token: stack.contracts.usdc, entries: 4, amount: 100n }],
    });
    expect(remember?.anchor?.size).toBe(8);
  });

  it('leaves open what it has nothing for', async () => {
    const { ok, said } = await verify({ receipts: [], priceTables: [] });
    expect(ok).toBe(true);
    const open = said.filter((line) => line.includes(' null: not checked')).map((line) => line.split(' ')[0]);
    expect(open).toEqual(['checkpoint_signed', 'consistent', 'receipt_logged', 'relay_signed', 'price']);
    const unreachable = await verify({ rpcUrl: 'http://127.0.0.1:1' });
    expect([unreachable.ok, unreachable.said]).toEqual([
      false,
      [expect.stringMatching(/^anchored null: not checked: /)],
    ]);
    const without = await verify({ blockSource: { get: () => Promise.resolve(undefined) } });
    expect([without.ok, without.said.at(-1)]).toEqual([
      false,
      expect.stringContaining('blocks_content_addressed null'),
    ]);
  });

  it('holds the wallet’s receipts against the log, and their signatures against the chain', async () => {
    const [first, ...rest] = calls;
    if (!first) throw new Error('there is no call');
    const other = { ...signedOf(first), entry: encodeReceipt({ ...first.receipt, provider: 'somebody-else' }) };
    const altered = await verify({ receipts: [other, ...rest.map(signedOf)] });
    expect(altered.failed).toEqual([
      expect.stringContaining(`entry 0, call ${first.receipt.callId}: the receipt that the wallet was given differs`),
      expect.stringMatching(/^relay_signed false: .* was no receipt key/),
    ]);
    expect(altered.problems).toMatchObject([{ claim: 'receipt_logged', index: 0, callId: first.receipt.callId }]);
    const late = { ...first.receipt, callId: `${first.receipt.callId.slice(0, -4)}ffff`, sequence: 5 };
    const unlogged = { ...signedOf(first), entry: encodeReceipt(late), signedAtMs: 1 };
    const missing = await verify({ receipts: [unlogged] });
    expect(missing.failed[0]).toContain(`call ${late.callId} is in no entry of the log, and should be`);
  });

  // Anchors more, so it is the last.
  it('finds a log that was rewritten between two anchors, and what it hides', async () => {
    const deployment = await openDeployment(stack.chain.rpcUrl, stack.deployment);
    const entries = (await relay.ledger.listEntries({ from: 0, limit: 100 })).map(({ entry }) => entry);
    const blocks = new ForgedBlocks();
    const more = calls.map(({ receipt }) =>
      encodeReceipt({ ...receipt, channelId: toHex(randomBytes(32)), payer: stack.relay }),
    );
    // The payer's second receipt is left out; strangers' ones follow.
    const forged = [...entries.toSpliced(2, 1), ...more];
    await anchorFalsely(deployment, { relayKey: toHex(stack.relayKey), anchor: forgeLog(blocks, forged) });
    const seen = (await verify()).remember;
    const found = await verify({ blockSource: blocks, ...(seen && { seen }) });
    expect(found.ok).toBe(false);
    const failed = found.failed.join('\n');
    expect(failed).toMatch(/^anchors_agree false: the anchor of 4 entries .* it was rewritten$/m);
    expect(failed).toContain('the log has no entry for receipt(s) 2');
    expect(found.summary?.channels).toMatchObject([{ entries: 3, missing: [{ first: 2, last: 2 }] }]);
  });
});
