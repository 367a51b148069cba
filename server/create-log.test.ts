import { copyFile, cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toHex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import { decodeEntryBundle } from '../protocol/log/entry-bundle.ts';
import { createRelayVerifier, recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import { createNoteSigner, createNoteVerifier, openNote } from '../protocol/log/signed-note.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../protocol/merkle/inclusion.ts';
import { auditSchema } from './config/schema/audit-section.ts';
import { createCosigning } from './create-cosigning.ts';
import { createLog, type RelayLog } from './create-log.ts';
import { createToyLog } from './audit/toy-log-fixture.ts';
import { someCharge, someReserve, testKey, testScope } from './ledger/ledger-fixtures.ts';
import { openLedger, type RelayLedger } from './ledger/open-ledger.ts';
import { serveWitness } from '../witness/serve-witness.ts';
import { openTestWitness } from '../witness/witness-fixture.ts';

let dataDir: string;
let ledger: RelayLedger;
let logs: RelayLog[];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-create-log-'));
  logs = [];
  ledger = await openBooks();
});
afterEach(async () => {
  await stop();
  await rm(dataDir, { recursive: true });
});

const openBooks = () =>
  openLedger({ dataDir, chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey });

/** As the process does that ends. */
async function stop(): Promise<void> {
  for (const log of logs.splice(0)) await log.stop();
  await ledger.close();
}

type Changes = {
  ledger?: RelayLedger;
  maxMergeDelaySeconds?: number;
  nowMs?: () => number;
  logKey?: Uint8Array;
  witnesses?: { url: string; key: string }[];
};

async function open(changes: Changes = {}): Promise<RelayLog> {
  const { maxMergeDelaySeconds = 3_600, nowMs = () => Date.now(), witnesses = [] } = changes;
  const { logKey = Buffer.alloc(32, 1) } = changes;
  const log = await createLog({
    config: {
      audit: auditSchema.parse({ maxMergeDelaySeconds, witnesses }),
      chain: { id: testScope.chainId },
      contracts: { autoPayLLM: testScope.verifyingContract },
    },
    ...{ dataDir, ledger: changes.ledger ?? ledger, log: createToyLog(), nowMs },
    keys: { logKey: Buffer.from(logKey), relayKey: Buffer.from(testKey) },
  });
  logs.push(log);
  return log;
}

/** The relay ends, and starts again. */
async function restart(changes: Changes = {}): Promise<RelayLog> {
  await stop();
  ledger = await openBooks();
  return open(changes);
}

/** How a witness knows the log. */
function witnessedLog() {
  const origin = originOf({ chainId: testScope.chainId, autoPayLLM: testScope.verifyingContract });
  return { origin, keys: createNoteSigner({ name: origin, seed: Buffer.alloc(32, 1) }) };
}

async function charge(count: number): Promise<void> {
  const requests = Array.from({ length: count }, () => someReserve(null, 0n));
  await Promise.all(requests.map((request) => ledger.reserve(request)));
  await Promise.all(requests.map(({ callId }) => ledger.charge(someCharge(callId, 0n))));
}

async function leafHashes(): Promise<Uint8Array[]> {
  const entries = await ledger.listEntries({ from: 0, limit: 10_000 });
  return entries.map(({ entry }) => hashLeaf(entry));
}

describe('the log of a data folder', () => {
  it('has every charge, under a checkpoint of both keys', async () => {
    await charge(300);
    const { tree, verifierKeys, readEntries } = await open();
    const { note, origin, size, root } = tree.newestCheckpoint();
    expect({ origin, size }).toEqual({ origin: `eip155/31337/0x${'aa'.repeat(20)}`, size: 300 });
    expect(root).toEqual(merkleRoot(await leafHashes()));
    expect(openNote(note, [createNoteVerifier(verifierKeys[0] ?? '')]).signatures).toHaveLength(1);
    expect(recoverSignedCheckpoint(note, testScope)).toMatchObject({ size: 300, signer: addressOfPrivateKey(testKey) });
    expect(await tree.inclusionProof(299, 300)).toEqual(inclusionProofOf(await leafHashes(), 299));
    const entries = decodeEntryBundle(await readEntries({ index: 1, width: 44 }));
    expect(entries.map(hashLeaf)).toEqual((await leafHashes()).slice(256));
  });

  it('takes in what is charged, by itself', async () => {
    const log = await open({ maxMergeDelaySeconds: 1 });
    log.start();
    await charge(3);
    await vi.waitFor(() => expect(log.tree.size()).toBe(3), 20_000);
  });

  it('goes on after a restart where it was', async () => {
    await charge(300);
    const before = (await open()).tree.newestCheckpoint();
    await charge(300);
    const { tree } = await restart();
    expect(tree.size()).toBe(600);
    expect(await tree.root(300)).toEqual(before.root);
    expect(await readFile(join(dataDir, 'log/checkpoint'), 'utf8')).toBe(tree.newestCheckpoint().note);
    const again = (await restart()).tree.newestCheckpoint();
    expect(again.note).toBe(tree.newestCheckpoint().note);
  });

  it.each(['tiles', 'ledger', 'file'])('signs the same log after a crash once the %s had it', async (crash) => {
    await charge(10);
    const { tree } = await open();
    const before = tree.newestCheckpoint();
    await charge(500);
    const file = join(dataDir, 'log/checkpoint');
    if (crash === 'tiles') {
      const broken = { ...ledger, addCheckpoint: () => Promise.reject(new Error('crashed')) };
      await expect(open({ ledger: broken })).rejects.toThrow('crashed');
      expect(await readdir(join(dataDir, 'log/tile/0'))).toEqual(['000']);
      expect(await readFile(file, 'utf8')).toBe(before.note);
    } else {
      await tree.update();
      if (crash === 'ledger') await writeFile(file, before.note);
    }
    const { tree: after } = await restart();
    expect(after.size()).toBe(510);
    expect(await after.root(10)).toEqual(before.root);
    expect(toHex(after.newestCheckpoint().root)).toBe(toHex(merkleRoot(await leafHashes())));
  });

  it('signs no larger log at an earlier time, whatever the clock does: witnesses would say that the smaller one came later', async () => {
    let now = 1_700_000_000_000;
    const nowMs = () => now;
    const times: number[] = [];
    const note = ({ tree }: RelayLog) => {
      const checkpoint = tree.newestCheckpoint();
      const { signedAtMs } = recoverSignedCheckpoint(checkpoint.note, testScope);
      expect(checkpoint.signedAtMs).toBe(signedAtMs);
      times.push(signedAtMs - 1_700_000_000_000);
    };
    await charge(1);
    const first = await open({ nowMs });
    note(first);
    now -= 5_000;
    await charge(1);
    await first.tree.update();
    note(first);
    await charge(1);
    note(await restart({ nowMs }));
    now += 6_000;
    await charge(1);
    note(await restart({ nowMs }));
    expect(times).toEqual([0, 0, 0, 1_000]);
  });

  it('finds its tiles again when their folder is lost', async () => {
    await charge(600);
    const before = (await open()).tree.newestCheckpoint();
    await rm(join(dataDir, 'log/tile'), { recursive: true });
    const { tree } = await restart();
    expect(tree.newestCheckpoint().note).toBe(before.note);
    expect(await tree.inclusionProof(3, 600)).toEqual(inclusionProofOf(await leafHashes(), 3));
  });

  it('refuses a ledger that was put back to an older copy, and signs nothing', async () => {
    const books = join(dataDir, 'ledger.sqlite');
    const copy = join(dataDir, 'copy.sqlite');
    await charge(20);
    await open();
    await stop();
    await copyFile(books, copy);
    ledger = await openBooks();
    await open();
    await charge(5);
    await logs[0]?.tree.update();
    const signed = await readFile(join(dataDir, 'log/checkpoint'), 'utf8');
    await stop();

    for (const name of [books, `${books}-wal`, `${books}-shm`]) await rm(name, { force: true });
    await copyFile(copy, books);
    ledger = await openBooks();
    const rolledBack = { code: 'log_rolled_back', facts: { size: 20, signed: 25 } };
    await expect(open()).rejects.toMatchObject(rolledBack);
    // Even where it has grown again before anyone looked.
    await charge(4);
    await expect(open()).rejects.toMatchObject({ ...rolledBack, facts: { size: 24, signed: 25 } });
    await charge(1);
    await expect(open()).rejects.toMatchObject({ code: 'log_forked', facts: { size: 25 } });
    await charge(300);
    await expect(open()).rejects.toMatchObject({ code: 'log_forked', facts: { size: 25 } });
    expect(await readFile(join(dataDir, 'log/checkpoint'), 'utf8')).toBe(signed);
    expect(await ledger.newestCheckpoint()).toMatchObject({ size: 20 });
  });

  it('refuses a whole folder that was put back to before what a witness cosigned, and signs nothing', async () => {
    const { origin, keys } = witnessedLog();
    const signer = addressOfPrivateKey(testKey);
    const findReceiptKey = async () => createRelayVerifier({ name: origin, scope: testScope, signer });
    const test = openTestWitness([{ origin, verifierKey: keys.verifierKey, findReceiptKey }]);
    const served = await serveWitness({ witness: test.witness, host: '127.0.0.1', port: 0, log: createToyLog() });
    const witnesses = [{ url: served.url, key: test.cosigner.verifierKey }];
    const cosign = async ({ tree }: RelayLog) => {
      const config = { witnesses, requiredCosignatures: 1 };
      const cosigning = createCosigning({ config, tree, log: createToyLog(), nowMs: () => Date.now() });
      expect(await cosigning.anchorableSize()).toBe(tree.size());
      await cosigning.stop();
    };
    const [older, newer] = [`${dataDir}-older`, `${dataDir}-newer`];
    const putBack = async (copy: string) => {
      await ledger.close();
      await rm(dataDir, { recursive: true });
      await cp(copy, dataDir, { recursive: true });
      ledger = await openBooks();
    };
    try {
      await charge(20);
      await cosign(await open({ witnesses }));
      await stop();
      await cp(dataDir, older, { recursive: true });
      ledger = await openBooks();
      // The witness has seen as much as there is, and then less.
      const log = await open({ witnesses });
      await charge(5);
      await cosign(log);
      await charge(1);
      await restart({ witnesses });
      await stop();
      await cp(dataDir, newer, { recursive: true });
      ledger = await openBooks();

      await putBack(older);
      const signed = await readFile(join(dataDir, 'log/checkpoint'), 'utf8');
      const facts = { witness: 'witness.example/w1', witnessed: 25 };
      await expect(open({ witnesses })).rejects.toMatchObject({
        code: 'log_rolled_back',
        facts: { ...facts, size: 20 },
      });
      // Even with a new key of the log: the receipt key had signed too.
      const logKey = Buffer.alloc(32, 9);
      await expect(open({ witnesses, logKey })).rejects.toMatchObject({ code: 'log_rolled_back' });
      // Even where it has grown again before anyone looked.
      await charge(30);
      await expect(open({ witnesses })).rejects.toMatchObject({ code: 'log_forked', facts: { ...facts, size: 50 } });
      expect(await readFile(join(dataDir, 'log/checkpoint'), 'utf8')).toBe(signed);
      expect(await ledger.newestCheckpoint()).toMatchObject({ size: 20 });
      expect(test.evidence()).toEqual([]);

      await putBack(newer);
      expect((await open({ witnesses })).tree.size()).toBe(26);
    } finally {
      await served.close();
      test.close();
      for (const copy of [older, newer]) await rm(copy, { recursive: true, force: true });
    }
  });

  it('refuses other entries than a block has that was anchored', async () => {
    await charge(8);
    const frontier = [hashLeaf(Buffer.from('x'))];
    await ledger.addBlock({ start: 0, size: 8, cid: 'bafy', root: Buffer.alloc(32, 1), frontier });
    await expect(open()).rejects.toMatchObject({ code: 'log_forked', facts: { size: 8 } });
    expect(await ledger.newestCheckpoint()).toBeUndefined();
  });

  it('serves readers side by side while it grows', async () => {
    await charge(256);
    const { tree, readEntries } = await open();
    const reading = Array.from({ length: 20 }, async (_, reader) => {
      const { size, root } = tree.newestCheckpoint();
      const proof = await tree.inclusionProof(reader, size);
      const bundle = await readEntries({ index: 0, width: 256 });
      expect(await tree.root(size)).toEqual(root);
      return { proof, size, bundle };
    });
    await charge(100);
    const [results] = await Promise.all([Promise.all(reading), tree.update(), tree.update()]);
    const hashes = await leafHashes();
    results.forEach(({ proof, size, bundle }, reader) => {
      expect(proof).toEqual(inclusionProofOf(hashes.slice(0, size), reader));
      expect(decodeEntryBundle(bundle).map(hashLeaf)).toEqual(hashes.slice(0, 256));
    });
    expect(tree.size()).toBe(356);
  });
});
