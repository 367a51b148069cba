import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createCosigner,
  createNoteSigner,
  createNoteVerifier,
  formatSignature,
  openNote,
} from '../../protocol/log/signed-note.ts';
import { verifyConsistency } from '../../protocol/merkle/consistency.ts';
import { emptyRoot } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import type { StoredCheckpoint } from '../ledger/background-ledger.ts';
import { openLogTree, type LogTree } from './log-tree.ts';
import { openTree } from './open-tree.ts';
import { createPublisher, type PublishedCheckpoint } from './publish-checkpoint.ts';
import { createTileStore } from './tile-store.ts';
import { createToyEntries, createToyLog, type ToyEntries } from './toy-log-fixture.ts';

let folder: string;
let entries: ToyEntries;
let stored: StoredCheckpoint[];
let now: number;
let isBroken: boolean;
beforeEach(async () => {
  isBroken = false;
  folder = await mkdtemp(join(tmpdir(), 'autopay-log-'));
  entries = createToyEntries();
  stored = [];
  now = 1_700_000_000_000;
});
afterEach(() => rm(folder, { recursive: true }));

const origin = 'eip155/1/0xaa';
const signer = createNoteSigner({ name: origin, seed: Buffer.alloc(32, 1) });

async function open(newest?: PublishedCheckpoint, signers = [signer]): Promise<LogTree> {
  const ledger = {
    async addCheckpoint(checkpoint: StoredCheckpoint) {
      if (isBroken) throw new Error('the disk is full');
      stored.push(checkpoint);
    },
  };
  return openLogTree({
    tree: await openTree({ store: createTileStore(folder), ledger: entries, log: createToyLog() }, newest),
    publisher: createPublisher({ ledger, file: join(folder, 'checkpoint'), origin, signers, nowMs: () => now }),
    newest,
    maxAgeMs: 1_000,
    nowMs: () => now,
  });
}

describe('the log', () => {
  it('begins with a checkpoint of nothing, and signs what comes', async () => {
    const log = await open();
    expect(log.newestCheckpoint()).toMatchObject({ origin, size: 0, root: emptyRoot, signedAtMs: now });
    entries.add(300);
    expect(log.size()).toBe(0);
    const { note, root } = await log.update();
    expect(log.newestCheckpoint()).toMatchObject({ size: 300, root: merkleRoot(entries.leafHashes) });
    expect(openNote(note, [createNoteVerifier(signer.verifierKey)]).text).toContain(`\n300\n`);
    expect(root).toEqual(await log.root(300));
    expect(stored.map(({ size }) => size)).toEqual([0, 300]);
  });

  it('signs nothing again that is new enough, and what is older, with what witnesses said of it', async () => {
    const log = await open();
    const cosigner = createCosigner({ name: 'witness', seed: Buffer.alloc(32, 2), nowMs: () => now });
    now += 999;
    await log.update();
    expect(stored).toHaveLength(1);
    const { name, keyHash } = cosigner;
    const text = `${origin}\n0\n${emptyRoot.toString('base64')}\n`;
    const line = () => formatSignature({ name, keyHash, signature: cosigner.sign(text) });
    expect(await log.cosign(1, [line()])).toBe(false);
    expect(await log.cosign(0, [line()])).toBe(true);
    now += 1;
    const again = await log.update();
    expect(again.signedAtMs).toBe(now);
    const verifiers = [createNoteVerifier(signer.verifierKey), createNoteVerifier(cosigner.verifierKey)];
    expect(openNote(again.note, verifiers).signatures).toHaveLength(2);
    now += 1_000;
    await log.cosign(0, [line()]);
    const said = openNote(log.newestCheckpoint().note, verifiers.slice(1)).signatures;
    expect(said).toEqual([{ name, keyHash, timestamp: Math.floor(now / 1_000) }]);
    expect(stored.at(-1)?.note).toBe(log.newestCheckpoint().note);
    entries.add(1);
    expect(openNote((await log.update()).note, verifiers).signatures).toHaveLength(1);
  });

  it('signs anew with a key that it has not signed with', async () => {
    const { size, root, note, signedAtMs } = (await open()).newestCheckpoint();
    const before = { origin, size, root, note, signedAtMs };
    await open(before);
    expect(stored).toHaveLength(1);
    const other = createNoteSigner({ name: origin, seed: Buffer.alloc(32, 9) });
    const log = await open(before, [other]);
    expect(openNote(log.newestCheckpoint().note, [createNoteVerifier(other.verifierKey)]).signatures).toHaveLength(1);
    expect(() => openNote(log.newestCheckpoint().note, [createNoteVerifier(signer.verifierKey)])).toThrow();
  });

  it('shows no checkpoint that could not be stored, and signs once it can', async () => {
    const log = await open();
    isBroken = true;
    entries.add(1);
    await expect(log.update()).rejects.toThrow('the disk is full');
    expect(log.size()).toBe(0);
    isBroken = false;
    await log.update();
    expect(log.size()).toBe(1);
  });

  it('has the proofs of all sizes that were signed, also while it grows', async () => {
    const log = await open();
    for (const more of [100, 157, 300, 1_000]) {
      entries.add(more);
      const before = log.newestCheckpoint();
      const updated = log.update();
      // Read at the same time.
      if (before.size > 0) {
        const leaves = entries.leafHashes.slice(0, before.size);
        expect(await log.inclusionProof(3, before.size)).toEqual(inclusionProofOf(leaves, 3));
      }
      const { size, root } = await updated;
      expect(await log.inclusionProof(size - 1, size)).toEqual(inclusionProofOf(entries.leafHashes, size - 1));
      for (const older of [1, before.size].filter((known) => known > 0)) {
        const proof = await log.consistencyProof(older, size);
        const olderRoot = await log.root(older);
        expect(olderRoot).toEqual(merkleRoot(entries.leafHashes.slice(0, older)));
        expect(verifyConsistency({ olderRoot, olderSize: older, newerRoot: root, newerSize: size, proof })).toBe(true);
      }
    }
  });

  it('has nothing beyond what was signed', async () => {
    entries.add(300);
    const log = await open();
    entries.add(10);
    const notFound = { code: 'not_found', facts: { size: 300 } };
    await expect(log.root(301)).rejects.toMatchObject(notFound);
    await expect(log.root(-1)).rejects.toMatchObject(notFound);
    await expect(log.inclusionProof(300, 300)).rejects.toMatchObject(notFound);
    await expect(log.inclusionProof(0, 301)).rejects.toMatchObject(notFound);
    await expect(log.inclusionProof(-1, 300)).rejects.toMatchObject(notFound);
    await expect(log.inclusionProof(0.5, 300)).rejects.toMatchObject(notFound);
    await expect(log.consistencyProof(0, 300)).rejects.toMatchObject(notFound);
    await expect(log.consistencyProof(300, 301)).rejects.toMatchObject(notFound);
    await expect(log.consistencyProof(300, 299)).rejects.toMatchObject(notFound);
    await expect(log.readTile({ level: 0, index: 1, width: 45 })).rejects.toMatchObject(notFound);
    await expect(log.readTile({ level: 1, index: 0, width: 2 })).rejects.toMatchObject(notFound);
    expect(await log.readTile({ level: 0, index: 1, width: 44 })).toHaveLength(44 * 32);
  });
});
