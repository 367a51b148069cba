import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import type { SignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import type { PendingCharge } from '../../../server/ledger/group-context.ts';
import { testKey, testScope } from '../../../server/ledger/ledger-fixtures.ts';
import { createSealReceipts } from '../../../server/ledger/seal-receipts.ts';
import { figure, type Figure } from '../report.ts';
import { secondsSince } from './cpu-seconds.ts';
import { syntheticReceipt } from './synthetic-log.ts';

/** Charges of one commit: at load, and where little goes on. */
const groupSizes = { loaded: 64, quiet: 8 } as const;
const receipts = 40_000;

/** What a receipt takes of the ledger's thread: its encoding, its leaf hash, and its share of the one signature of its commit. */
export function measureReceipts(): Figure[] {
  const { loaded, quiet } = groupSizes;
  return [
    figure(`receipt, ${loaded} in a commit`, microsecondsAt(loaded), 'µs of CPU', { atMost: 10 }),
    figure(`receipt, ${quiet} in a commit`, microsecondsAt(quiet), 'µs of CPU'),
  ];
}

function microsecondsAt(groupSize: number): number {
  const seal = createSealReceipts({
    chains: [{ scope: testScope, charges: { insertBatch: () => undefined } }],
    key: testKey,
  });
  // What a receipt says is there before it is one.
  const facts = Array.from({ length: 64 * groupSize }, (_, index) => syntheticReceipt(index));
  const run = (count: number): number => {
    let sealed = 0;
    while (sealed < count) {
      const first = sealed % facts.length;
      sealed += sealGroup(seal, facts.slice(first, first + groupSize)).length;
    }
    return sealed;
  };
  run(receipts / 4);
  const before = process.cpuUsage();
  const sealed = run(receipts);
  return (secondsSince(before) / sealed) * 1e6;
}

function sealGroup(seal: ReturnType<typeof createSealReceipts>, group: readonly CallReceipt[]): SignedReceipt[] {
  const charges = group.map((receipt): PendingCharge => {
    const entry = encodeReceipt(receipt);
    return { ...others, receipt, entry, leafHash: hashLeaf(entry) };
  });
  return seal({ batchId: 1, charges, nowMs: 1_790_000_000_000 });
}

/** What of a charge its receipt does not need. */
const others = {
  ...{ chainId: testScope.chainId, requestSalt: new Uint8Array(32), responseSalt: new Uint8Array(32) },
  ...{ channel: null, payment: null, keyId: null },
};
