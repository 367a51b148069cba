import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyConsistency, type LogState } from '../../fsck/verify-consistency.ts';
import { toHex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { formatCheckpoint, originOf } from '../../protocol/log/checkpoint.ts';
import { createRelaySigner, createRelayVerifier } from '../../protocol/log/relay-signature.ts';
import { createCosigner, createNoteSigner, signNote } from '../../protocol/log/signed-note.ts';
import { consistencyProof } from '../../protocol/merkle/consistency.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { createWitness, type Witness } from '../../witness/create-witness.ts';
import { createEvidenceFolder } from '../../witness/keep-evidence.ts';
import { openWitnessState, type WitnessState } from '../../witness/witness-state.ts';
import { openCatchBook } from './catch-book.ts';
import { checkpointsFile } from './lie-table.ts';

const scope = { chainId: 31_337, verifyingContract: `0x${'a1'.repeat(20)}` } as const;
const origin = originOf({ chainId: scope.chainId, autoPayLLM: scope.verifyingContract });
const logKey = createNoteSigner({ name: origin, seed: Buffer.alloc(32, 1) });
const receiptKey = Buffer.alloc(32, 0x11);
const receiptVerifier = createRelayVerifier({ name: origin, scope, signer: addressOfPrivateKey(receiptKey) });
const leavesOf = (...entries: string[]) => entries.map((entry) => hashLeaf(Buffer.from(entry)));
const honest = leavesOf('a', 'b', 'c', 'd', 'e');
const forged = leavesOf('a', 'b', 'x', 'd', 'e');

/** What a relay signs of a log, at a time. */
function sign(leaves: readonly Uint8Array[], atMs: number): string {
  const text = formatCheckpoint({ origin, size: leaves.length, root: merkleRoot(leaves) });
  const relay = createRelaySigner({ name: origin, scope, receiptKey, nowMs: () => atMs });
  return signNote(text, [logKey, relay]);
}

/** What a reader remembers of a log, or finds. */
const stateOf = (leaves: readonly Uint8Array[], note = sign(leaves, 1)): LogState => {
  return { size: leaves.length, root: toHex(merkleRoot(leaves)), seenAtMs: 1, evidence: { note } };
};

const book = openCatchBook(checkpointsFile);
let folder: string;
let state: WitnessState;
let witness: Witness;
let told: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-checkpoints-'));
  state = openWitnessState(folder);
  told = [];
  const tell = (_facts: object, message: string) => void told.push(message);
  witness = createWitness({
    cosigner: createCosigner({ name: 'witness.example', seed: Buffer.alloc(32, 2) }),
    logs: [{ origin, verifierKey: logKey.verifierKey, findReceiptKey: () => Promise.resolve(receiptVerifier) }],
    state,
    evidence: createEvidenceFolder(join(folder, 'evidence')),
    log: { info: tell, warn: tell, error: tell },
  });
});
afterEach(async () => {
  state.close();
  await rm(folder, { recursive: true, force: true });
});

/** Offers a log to the witness; its status. */
async function offer(leaves: readonly Uint8Array[], { oldSize = 0, atMs = 1 } = {}): Promise<number> {
  const subtreeRoot = (start: number, end: number) => merkleRoot(leaves.slice(start, end));
  const proof =
    oldSize === 0 || oldSize >= leaves.length
      ? []
      : consistencyProof({ olderSize: oldSize, newerSize: leaves.length, subtreeRoot });
  return (await witness.addCheckpoint({ oldSize, proof, note: sign(leaves, atMs) })).status;
}

describe('two logs', () => {
  it('are refused by a witness that has seen the other', async () => {
    expect(await offer(honest.slice(0, 4))).toBe(200);
    expect(await offer(forged.slice(0, 4), { oldSize: 4, atMs: 2 })).toBeGreaterThanOrEqual(400);
    book.expectCaught('fork', 'a witness', told.join('\n'));
    // And it goes on with the one that it knows.
    expect(await offer(honest, { oldSize: 4, atMs: 3 })).toBe(200);
  });

  it('are seen by whoever has seen the other', async () => {
    const anchor = stateOf(forged);
    const found = await verifyConsistency({
      ...{ origin, anchor, seen: { checkpoint: stateOf(honest.slice(0, 4)) } },
      rootAt: (size) => Promise.resolve(merkleRoot(forged.slice(0, size))),
    });
    expect(found).toMatchObject({ ok: false, conflict: { kind: 'fork' } });
    book.expectCaught('fork', '`autopay audit verify`', found.detail);
  });
});

describe('a shorter log', () => {
  it('is refused by a witness that has seen more', async () => {
    expect(await offer(honest, { atMs: 1_000 })).toBe(200);
    expect(await offer(honest.slice(0, 3), { oldSize: 5, atMs: 2_000 })).toBeGreaterThanOrEqual(400);
    book.expectCaught('rollback', 'a witness', told.join('\n'));
  });

  it('is seen by whoever has seen more', async () => {
    const anchor = stateOf(honest.slice(0, 2));
    const now = stateOf(honest.slice(0, 3));
    const rootAt = (size: number) => Promise.resolve(merkleRoot(honest.slice(0, size)));
    const found = await verifyConsistency({
      ...{ origin, anchor, rootAt, seen: { checkpoint: stateOf(honest) }, checkpoint: { state: now, rootAt } },
    });
    expect(found).toMatchObject({ ok: false, conflict: { kind: 'rollback' } });
    book.expectCaught('rollback', '`autopay audit verify`', found.detail);
  });
});

describe('an honest log', () => {
  it('grows, and nobody objects', async () => {
    for (const [oldSize, size] of [
      [0, 2],
      [2, 3],
      [3, 5],
    ] as const) {
      expect(await offer(honest.slice(0, size), { oldSize, atMs: size })).toBe(200);
    }
    expect(told.filter((message) => message.includes('contradicts'))).toEqual([]);
  });
});

it('shows every lie of the table', () => {
  expect(book.missing()).toEqual([]);
});
