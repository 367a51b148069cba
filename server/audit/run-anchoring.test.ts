import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { fromHex, toHex } from '../../protocol/bytes/hex.ts';
import { cidOfDigest } from '../../protocol/log/batch-block.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { createFaultInjector } from '../../test/support/inject-faults.ts';
import { openTestRelay, type TestRelay } from '../../test/support/open-test-relay.ts';
import { runAnchoring } from './run-anchoring.ts';
import { writeBlocks } from './write-blocks.ts';

let stack: ChainStack;
let relay: TestRelay;
let snapshot: unknown;

beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());
// Each test starts with an empty AuditLog.
beforeEach(async () => {
  snapshot = await stack.chain.request('evm_snapshot');
  relay = await openTestRelay(stack);
});
afterEach(async () => {
  await relay.close();
  await stack.chain.request('evm_revert', [snapshot]);
});

const freeCall = () => chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token: stack.contracts.usdc });

async function anchorsOnChain() {
  const events = await relay.client.getContractEvents({
    address: stack.contracts.auditLog,
    abi: auditLogAbi,
    eventName: 'Anchored',
    fromBlock: BigInt(stack.contracts.deployedAtBlock),
    strict: true,
  });
  return events.map((event) => event.args);
}

/** The sizes of the anchors that the ledger knows. */
function recordedSizes(): unknown[] {
  const db = new DatabaseSync(join(relay.dataDir, 'ledger.sqlite'), { readOnly: true });
  try {
    return db
      .prepare('SELECT size FROM anchors ORDER BY size')
      .all()
      .map((row) => row['size']);
  } finally {
    db.close();
  }
}

async function rootOfLog(size: number) {
  const entries = await relay.ledger.listEntries({ from: 0, limit: size });
  return toHex(merkleRoot(entries.map(({ entry }) => hashLeaf(entry))));
}

describe('an anchoring run', () => {
  it('anchors the root of all entries and the CID of the newest block', async () => {
    expect(await runAnchoring(relay.deps())).toMatchObject({ size: 0, nothingToDo: true });
    await freeCall();
    await freeCall();
    const first = await runAnchoring(relay.deps());
    expect(first).toMatchObject({ size: 2, root: await rootOfLog(2) });
    await freeCall();
    const second = await runAnchoring(relay.deps());
    expect(second).toMatchObject({ size: 3, root: await rootOfLog(3) });
    const anchors = await anchorsOnChain();
    expect(anchors).toMatchObject([
      { size: 2n, previousSize: 0n, root: first.root },
      { size: 3n, previousSize: 2n, root: second.root },
    ]);
    expect(anchors.map((anchor) => cidOfDigest(fromHex(anchor.cid)).toString())).toEqual([first.cid, second.cid]);
    expect(await runAnchoring(relay.deps())).toMatchObject({
      size: 3,
      cid: second.cid,
      transactionHash: null,
      nothingToDo: true,
    });
    expect(await relay.ledger.anchoredSize()).toBe(3);
  });

  it('anchors each entry once, whichever step a crash hits', async () => {
    await freeCall();
    const counting = createFaultInjector();
    await runAnchoring(relay.deps(counting));
    expect(counting.steps).toEqual(
      expect.arrayContaining(['put', 'addBlock', 'get', 'sendRawTransaction', 'recordAnchor']),
    );
    let size = 1;
    for (let at = 0; at < counting.steps.length; at += 1) {
      for (const moment of ['before', 'after'] as const) {
        const where = `${moment} step ${at}, ${counting.steps[at]}`;
        await freeCall();
        const injector = createFaultInjector({ at, moment });
        await expect(runAnchoring(relay.deps(injector)), where).rejects.toThrow();
        // More calls come in before the relay is back.
        await freeCall();
        size += 2;
        expect(await runAnchoring(relay.deps()), where).toMatchObject({ size, root: await rootOfLog(size) });
        expect(await relay.ledger.anchoredSize(), where).toBe(size);
        expect(await relay.ledger.listUnfinishedTransactions(stack.relay), where).toEqual([]);
      }
    }
    const anchors = await anchorsOnChain();
    expect(recordedSizes()).toEqual(anchors.map((anchor) => Number(anchor.size)));
    for (const anchor of anchors) expect(await rootOfLog(Number(anchor.size))).toBe(anchor.root);
  }, 60_000);

  it('records an anchor that it has sent, though the run of another chain has cut a block since', async () => {
    await freeCall();
    const counting = createFaultInjector();
    await runAnchoring(relay.deps(counting));
    await freeCall();
    const crash = createFaultInjector({ at: counting.steps.indexOf('recordAnchor'), moment: 'before' });
    await expect(runAnchoring(relay.deps(crash))).rejects.toThrow();
    await freeCall();
    await writeBlocks({ ledger: relay.ledger, blocks: relay.blocks });
    expect(await runAnchoring(relay.deps())).toMatchObject({ size: 3 });
    expect((await anchorsOnChain()).map(({ size }) => Number(size))).toEqual([1, 2, 3]);
    // A release needs the very anchor that covers its booking.
    expect(recordedSizes()).toEqual([1, 2, 3]);
  });

  it('cuts several blocks when there is much to write', async () => {
    for (let call = 0; call < 7; call += 1) await freeCall();
    const { ledger, blocks } = relay;
    const newest = await writeBlocks({ ledger, blocks, maxEntriesPerBlock: 3 });
    expect(newest).toMatchObject({ start: 6, size: 7 });
    expect(await runAnchoring(relay.deps())).toMatchObject({ size: 7, root: await rootOfLog(7) });
  });

  it('anchors nothing that cannot be read back', async () => {
    await freeCall();
    const { ledger, blocks } = relay;
    await writeBlocks({ ledger, blocks });
    await rm(join(relay.dataDir, 'blocks'), { recursive: true });
    await expect(runAnchoring(relay.deps())).rejects.toMatchObject({ code: 'verification_failed' });
    expect(await anchorsOnChain()).toEqual([]);
  });

  it('goes as far as the log may be anchored, and to the rest when it may', async () => {
    for (let call = 0; call < 5; call += 1) await freeCall();
    let most = 0;
    const deps = () => ({ ...relay.deps(), anchorableSize: async () => most });
    expect(await runAnchoring(deps())).toMatchObject({ size: 0, nothingToDo: true, waitingForWitnesses: 5 });
    most = 3;
    expect(await runAnchoring(deps())).toMatchObject({ size: 3, root: await rootOfLog(3), waitingForWitnesses: 2 });
    expect(await runAnchoring(deps())).toMatchObject({ size: 3, transactionHash: null, waitingForWitnesses: 2 });
    most = 5;
    const last = await runAnchoring(deps());
    expect(last).toMatchObject({ size: 5, root: await rootOfLog(5) });
    expect(last).not.toHaveProperty('waitingForWitnesses');
    expect((await anchorsOnChain()).map(({ size }) => Number(size))).toEqual([3, 5]);
  });

  it('anchors what may be anchored by now, though the run of another chain has cut it', async () => {
    for (let call = 0; call < 5; call += 1) await freeCall();
    const { ledger, blocks } = relay;
    let most = 3;
    const anchorableSize = async () => {
      const before = most;
      if (most === 3) await writeBlocks({ ledger, blocks, upTo: (most = 5) });
      return before;
    };
    expect(await runAnchoring({ ...relay.deps(), anchorableSize })).toMatchObject({
      size: 5,
      root: await rootOfLog(5),
    });
  });

  it('does not anchor a block that was cut before cosignatures were required', async () => {
    for (let call = 0; call < 4; call += 1) await freeCall();
    const { ledger, blocks } = relay;
    await writeBlocks({ ledger, blocks });
    const deps = { ...relay.deps(), anchorableSize: async () => 3 };
    expect(await runAnchoring(deps)).toMatchObject({ size: 0, root: null, nothingToDo: true, waitingForWitnesses: 1 });
    expect(await runAnchoring({ ...deps, anchorableSize: async () => 4 })).toMatchObject({ size: 4 });
  });
});
