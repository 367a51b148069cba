import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countCosignatures, withCosignatures } from '../../../protocol/log/cosignatures.ts';
import { createCosigner, createNoteVerifier } from '../../../protocol/log/signed-note.ts';
import { createWitness } from '../../../witness/create-witness.ts';
import { createEvidenceFolder } from '../../../witness/keep-evidence.ts';
import { serveWitness } from '../../../witness/serve-witness.ts';
import { openTestWitness, TestLog } from '../../../witness/witness-fixture.ts';
import type { PublishedCheckpoint } from '../publish-checkpoint.ts';
import { createCosigning } from './cosign-checkpoints.ts';
import type { Witness } from './ask-witness.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let log: TestLog;
let newest: PublishedCheckpoint;
let nowMs: number;
let closers: (() => Promise<void> | void)[];

beforeEach(() => {
  log = new TestLog();
  nowMs = 1_700_000_000_000;
  closers = [];
  publish(5);
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
});

/** The log grows to a size, and signs it. */
function publish(size: number): void {
  log.grow(size - log.leaves.length);
  newest = { origin: log.origin, size, root: Buffer.alloc(32), signedAtMs: nowMs, note: log.checkpoint() };
}

const tree = {
  newestCheckpoint: () => newest,
  consistencyProof: (older: number, newer: number) => Promise.resolve(log.proof(older, newer)),
  cosign(size: number, lines: readonly string[]) {
    if (newest.size === size) newest = { ...newest, note: withCosignatures(newest.note, lines) };
    return Promise.resolve(newest.size === size);
  },
};

/** A witness of our own, with a key of its own. */
async function startWitness(at: number): Promise<Witness> {
  const test = openTestWitness([]);
  const cosigner = createCosigner({ name: `witness.example/w${at}`, seed: Buffer.alloc(32, at), nowMs: () => nowMs });
  const logs = [{ origin: log.origin, verifierKey: log.signer.verifierKey }];
  const evidence = createEvidenceFolder(test.folder);
  const witness = createWitness({ cosigner, logs, state: test.state, evidence, log: silent });
  const served = await serveWitness({ witness, host: '127.0.0.1', port: 0, log: silent });
  closers.push(() => test.close());
  closers.push(() => served.close());
  return { url: served.url, verifier: createNoteVerifier(cosigner.verifierKey) };
}

function gather(witnesses: readonly Witness[], required: number) {
  const signal = new AbortController().signal;
  return createCosigning({ witnesses, required, tree, log: silent, nowMs: () => nowMs, signal, timeoutMs: 2_000 });
}

describe('cosignatures', () => {
  it('are counted by witness, at one and the same checkpoint', async () => {
    const [first, second] = [await startWitness(1), await startWitness(2)];
    const cosigning = gather([first, second], 2);
    await cosigning.submitTo(first);
    expect(cosigning.state()).toMatchObject({ cosignedSize: 0, waitingSinceMs: nowMs });
    // Twice of one witness is not two.
    await cosigning.submitTo(first);
    expect(cosigning.state().cosignedSize).toBe(0);
    publish(8);
    await cosigning.submitTo(second);
    expect(cosigning.state()).toMatchObject({ cosignedSize: 0, waitingSinceMs: nowMs });
    await cosigning.submitTo(first);
    expect(cosigning.state()).toEqual({
      ...{ required: 2, cosignedSize: 8, waitingSinceMs: null },
      witnesses: [first, second].map(({ url, verifier: { name } }) => ({
        ...{ name, url, cosignedSize: 8, cosignedAtMs: nowMs, error: null },
      })),
    });
    expect(countCosignatures(newest.note, [first.verifier, second.verifier])).toBe(2);
  });

  it('count though the log grows while they are gathered', async () => {
    const [first, second] = [await startWitness(1), await startWitness(2)];
    const cosigning = gather([first, second], 2);
    await cosigning.submitTo(first);
    const late = cosigning.submitTo(second);
    publish(6);
    await late;
    expect(cosigning.state()).toMatchObject({ cosignedSize: 5, waitingSinceMs: nowMs });
  });

  it('of before are known after a restart, and are asked for anew when the log signs anew', async () => {
    const first = await startWitness(1);
    await gather([first], 1).submitTo(first);
    expect(gather([first], 1).state().cosignedSize).toBe(5);
    const note = newest.note;
    const cosigning = gather([first], 1);
    await cosigning.submitTo(first);
    expect(newest.note).toBe(note);
    nowMs += 600_000;
    newest = { ...newest, signedAtMs: nowMs };
    await cosigning.submitTo(first);
    expect(newest.note).not.toBe(note);
    expect(countCosignatures(newest.note, [first.verifier])).toBe(1);
  });

  it('are asked for once, also of a witness whose clock is behind', async () => {
    const first = await startWitness(1);
    newest = { ...newest, signedAtMs: nowMs + 120_000 };
    const cosigning = gather([first], 1);
    await cosigning.submitTo(first);
    const { note } = newest;
    nowMs += 10_000;
    await cosigning.submitTo(first);
    expect(newest.note).toBe(note);
    newest = { ...newest, signedAtMs: nowMs + 120_000 };
    await cosigning.submitTo(first);
    expect(newest.note).not.toBe(note);
  });

  it('that do not come leave the others alone, and say why', async () => {
    const first = await startWitness(1);
    const key = createCosigner({ name: 'witness.example/gone', seed: Buffer.alloc(32, 9) }).verifierKey;
    const gone = { url: 'http://127.0.0.1:1', verifier: createNoteVerifier(key) };
    const cosigning = gather([first, gone], 1);
    await expect(cosigning.submitTo(gone)).rejects.toMatchObject({ code: 'upstream_unreachable' });
    await cosigning.submitTo(first);
    const { cosignedSize, witnesses } = cosigning.state();
    expect(cosignedSize).toBe(5);
    expect(witnesses.map(({ error }) => error)).toEqual([null, expect.stringMatching(/cannot be reached/)]);
  });

  it('of more than there is show that the log was put back', async () => {
    const first = await startWitness(1);
    publish(9);
    await gather([first], 1).submitTo(first);
    log.leaves.length = 0;
    publish(4);
    await expect(gather([first], 1).submitTo(first)).rejects.toMatchObject({ code: 'log_rolled_back' });
  });

  it('are asked of nobody where there are no witnesses', () => {
    expect(gather([], 0).state()).toEqual({ required: 0, cosignedSize: 0, waitingSinceMs: null, witnesses: [] });
  });
});
