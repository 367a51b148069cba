import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { formatCheckpoint } from '../protocol/log/checkpoint.ts';
import { createRelayVerifier, recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import {
  addSignatures,
  createNoteVerifier,
  openNote,
  signNote,
  type NoteVerifier,
} from '../protocol/log/signed-note.ts';
import { createWitness } from './create-witness.ts';
import type { CosignedCheckpoint, WitnessState } from './witness-state.ts';
import { openTestWitness, relayScope, TestLog, type TestWitness } from './witness-fixture.ts';

let log: TestLog;
let test: TestWitness;
const known = (of: TestLog) => ({ origin: of.origin, verifierKey: of.signer.verifierKey });

beforeEach(() => {
  log = new TestLog().grow(5);
  test = openTestWitness([known(log)]);
});
afterEach(() => test.close());

/** Submits the log as it is, from what was cosigned before. */
const submit = (of: TestLog = log, oldSize = test.state.latest(of.origin)?.size ?? 0) =>
  test.witness.addCheckpoint({
    oldSize,
    proof: oldSize === 0 || oldSize === of.leaves.length ? [] : of.proof(oldSize),
    note: of.checkpoint(),
  });

/** Where there are many witnesses, and none is restarted. */
function createStateInMemory(): WitnessState {
  let newest: CosignedCheckpoint | undefined;
  return {
    latest: () => newest,
    at: (_origin, size) => (newest?.size === size ? newest : undefined),
    advance(_origin, { checkpoint }) {
      newest = checkpoint;
      return true;
    },
    close: () => undefined,
  };
}

describe('a witness cosigns', () => {
  it('the first checkpoint, and each that begins with the one before', async () => {
    for (const size of [5, 6, 6, 300]) {
      log.grow(size - log.leaves.length);
      const answer = await submit();
      if (answer.status !== 200) throw new Error(JSON.stringify(answer));
      const cosigned = addSignatures(log.checkpoint(), [answer.lines]);
      const verifiers = [log.signer, test.cosigner].map(({ verifierKey }) => createNoteVerifier(verifierKey));
      expect(openNote(cosigned, verifiers).signatures).toHaveLength(2);
      expect(test.state.latest(log.origin)).toMatchObject({ size });
    }
  });

  it('every pair of sizes up to 40', async () => {
    const { cosigner } = test;
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const evidence = { keep: () => undefined };
    for (let newer = 1; newer <= 40; newer += 1) {
      const whole = new TestLog().grow(newer);
      for (let older = 1; older < newer; older += 1) {
        const witness = createWitness({
          cosigner,
          logs: [known(whole)],
          state: createStateInMemory(),
          evidence,
          log: silent,
        });
        const first = await witness.addCheckpoint({ oldSize: 0, proof: [], note: whole.checkpoint({ size: older }) });
        const request = { oldSize: older, proof: whole.proof(older), note: whole.checkpoint() };
        expect([first.status, (await witness.addCheckpoint(request)).status]).toEqual([200, 200]);
      }
    }
  });

  it('the empty log too, and what grows from it', async () => {
    log.leaves = [];
    expect(await submit()).toMatchObject({ status: 200 });
    log.grow(3);
    expect(await submit()).toMatchObject({ status: 200 });
  });

  it('and shows what it cosigned last, with the lines that it checked and no others', async () => {
    const originHash = createHash('sha256').update(log.origin).digest('hex');
    expect(test.witness.checkpointOf(originHash)).toBeUndefined();
    const stranger = signNote('x\n', [{ ...log.signer, name: log.origin, keyHash: '00112233' }]).slice('x\n\n'.length);
    await test.witness.addCheckpoint({ oldSize: 0, proof: [], note: addSignatures(log.checkpoint(), [stranger]) });
    const note = test.witness.checkpointOf(originHash) ?? '';
    const verifiers = [log.signer, test.cosigner].map(({ verifierKey }) => createNoteVerifier(verifierKey));
    expect(openNote(note, verifiers).signatures.map(({ name }) => name)).toEqual([log.origin, test.cosigner.name]);
    expect(note).not.toContain('ABEiM');
    expect(test.witness.checkpointOf('0'.repeat(64))).toBeUndefined();
  });
});

describe('a witness refuses', () => {
  const statusOf = async (request: Parameters<typeof test.witness.addCheckpoint>[0]) =>
    (await test.witness.addCheckpoint(request)).status;

  it('what is no checkpoint, of a log that it does not know, or not signed by the log', async () => {
    const stranger = new TestLog({ seed: 9 }).grow(5);
    const text = formatCheckpoint({ origin: 'example.com/log', size: 1, root: Buffer.alloc(32) });
    const forged = log.checkpoint().replace('\n5\n', '\n6\n');
    expect(await statusOf({ oldSize: 0, proof: [], note: 'no checkpoint\n\n' })).toBe(400);
    expect(await statusOf({ oldSize: 0, proof: [], note: signNote(text, [log.signer]) })).toBe(404);
    expect(await statusOf({ oldSize: 0, proof: [], note: stranger.checkpoint() })).toBe(403);
    expect(await statusOf({ oldSize: 0, proof: [], note: forged })).toBe(403);
    expect(test.state.latest(log.origin)).toBeUndefined();
  });

  it('another old size than what it cosigned, and says which that is', async () => {
    await submit();
    log.grow(4);
    expect(await submit(log, 0)).toEqual({ status: 409, size: 5 });
    expect(await submit(log, 3)).toEqual({ status: 409, size: 5 });
    expect(await statusOf({ oldSize: 10, proof: [], note: log.checkpoint() })).toBe(400);
    expect(await submit()).toMatchObject({ status: 200 });
  });

  it('a proof that does not lead from the one to the other', async () => {
    await submit();
    log.grow(4);
    const proof = log.proof(5);
    const note = log.checkpoint();
    const flipped = proof.map((hash) => Buffer.from(hash));
    flipped[0]?.writeUInt8((flipped[0][31] ?? 0) ^ 1, 31);
    expect(await statusOf({ oldSize: 5, proof: flipped, note })).toBe(422);
    expect(await statusOf({ oldSize: 5, proof: proof.slice(1), note })).toBe(422);
    expect(await statusOf({ oldSize: 5, proof: [...proof, Buffer.alloc(32)], note })).toBe(422);
    expect(await statusOf({ oldSize: 5, proof: [], note })).toBe(422);
    // Anybody can send a wrong proof: it says nothing of the log.
    expect(test.evidence()).toEqual([]);
    expect(test.state.latest(log.origin)).toMatchObject({ size: 5 });
  });

  it('a proof from nothing, and an empty log with a root of its own', async () => {
    expect(await statusOf({ oldSize: 0, proof: [Buffer.alloc(32)], note: log.checkpoint() })).toBe(422);
    const text = formatCheckpoint({ origin: log.origin, size: 0, root: Buffer.alloc(32, 1) });
    expect(await statusOf({ oldSize: 0, proof: [], note: signNote(text, [log.signer]) })).toBe(422);
  });
});

describe('a log that contradicts itself', () => {
  it('with two roots of one size is refused, and both signed checkpoints are kept', async () => {
    await submit();
    const fork = new TestLog().grow(5, 'other');
    expect(await submit(fork)).toEqual({ status: 409, size: 5 });
    expect(test.evidence()).toMatchObject([{ kind: 'fork', origin: log.origin }]);
    const [{ seen, offered, verifierKey } = { seen: '', offered: '', verifierKey: '' }] = test.evidence();
    const verifier = createNoteVerifier(verifierKey);
    const texts = [seen, offered].map((note) => openNote(note, [verifier]).text.split('\n'));
    expect(texts.map(([, size]) => size)).toEqual(['5', '5']);
    expect(texts[0]?.[2]).not.toBe(texts[1]?.[2]);
    // Once is enough.
    await submit(fork);
    expect(test.evidence()).toHaveLength(1);
    expect(test.told.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });

  it('at a size that it has left behind is found out as well', async () => {
    await submit();
    log.grow(3);
    await submit();
    expect(await submit(new TestLog().grow(5, 'other'), 5)).toMatchObject({ status: 409 });
    expect(test.evidence()).toMatchObject([{ kind: 'fork' }]);
    // An old checkpoint that is sent again is none.
    expect(await submit(new TestLog().grow(5), 5)).toMatchObject({ status: 409 });
    expect(test.evidence()).toHaveLength(1);
  });

  it('by a smaller size that its receipt key signed later is accused of going back; a stranger’s signature accuses nobody', async () => {
    const relay = addressOfPrivateKey(log.receiptKey);
    const receiptKeyOf = async (note: string): Promise<NoteVerifier> => {
      const { signer } = recoverSignedCheckpoint(note, relayScope);
      if (signer !== relay) throw new AutoPayError('invalid_signature', 'a stranger');
      return createRelayVerifier({ name: log.origin, scope: relayScope, signer });
    };
    test.close();
    test = openTestWitness([{ ...known(log), findReceiptKey: receiptKeyOf }]);
    const add = (note: string, oldSize: number) => test.witness.addCheckpoint({ oldSize, proof: [], note });
    expect(await add(log.checkpoint(), 0)).toMatchObject({ status: 403 });
    expect(await add(log.checkpoint({ isRelaySigned: true }), 0)).toMatchObject({ status: 200 });
    log.nowMs -= 1_000;
    expect(await add(log.checkpoint({ size: 4, isRelaySigned: true }), 4)).toMatchObject({ status: 409 });
    expect(test.evidence()).toEqual([]);
    log.nowMs += 2_000;
    const own = log.receiptKey.readUInt8(0);
    log.receiptKey.fill(0x33);
    expect(await add(log.checkpoint({ size: 4, isRelaySigned: true }), 4)).toMatchObject({ status: 403 });
    expect(test.evidence()).toEqual([]);
    log.receiptKey.fill(own);
    expect(await add(log.checkpoint({ size: 4, isRelaySigned: true }), 4)).toMatchObject({ status: 409 });
    expect(test.evidence()).toMatchObject([{ kind: 'rollback' }]);
  });
});

describe('what a witness has cosigned', () => {
  it('never goes back, however many submit at one time', async () => {
    await submit();
    const requests = Array.from({ length: 20 }, (_, at) => {
      log.grow(1);
      const size = 6 + at;
      return { oldSize: 5, proof: log.proof(5, size), note: log.checkpoint({ size }) };
    });
    const answers = await Promise.all(requests.map((request) => test.witness.addCheckpoint(request)));
    const cosigned = answers.flatMap(({ status }, at) => (status === 200 ? [6 + at] : []));
    expect(cosigned).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    expect(test.state.latest(log.origin)?.size).toBe(cosigned[0]);
  });

  it('is shared by processes on one folder: the slower one is told', async () => {
    const other = openTestWitness([known(log)], { folder: test.folder });
    try {
      await submit();
      log.grow(2);
      const request = { oldSize: 5, proof: log.proof(5), note: log.checkpoint() };
      expect(await other.witness.addCheckpoint(request)).toMatchObject({ status: 200 });
      expect(await test.witness.addCheckpoint(request)).toEqual({ status: 409, size: 7 });
    } finally {
      other.state.close();
    }
  });

  it('survives a restart', async () => {
    await submit();
    test = test.restart();
    expect(await submit(new TestLog().grow(5, 'other'))).toEqual({ status: 409, size: 5 });
    expect(test.evidence()).toHaveLength(1);
    log.grow(1);
    expect(await submit(log, 0)).toEqual({ status: 409, size: 5 });
    expect(await submit()).toMatchObject({ status: 200 });
  });

  it('is durable before its cosignature leaves: no answer without it, and a lost answer is asked for again', async () => {
    const broken = openTestWitness([known(log)], {
      wrapState: (state) => ({
        ...state,
        advance() {
          throw new Error('the disk is full');
        },
      }),
    });
    const request = { oldSize: 0, proof: [], note: log.checkpoint() };
    await expect(broken.witness.addCheckpoint(request)).rejects.toThrow('the disk is full');
    expect(broken.state.latest(log.origin)).toBeUndefined();
    broken.close();

    // The answer of this one is lost in a crash, after the state was written.
    const lost = openTestWitness([known(log)], {
      wrapState: (state) => ({
        ...state,
        advance(origin, step) {
          state.advance(origin, step);
          throw new Error('the process was killed');
        },
      }),
    });
    await expect(lost.witness.addCheckpoint(request)).rejects.toThrow('killed');
    const file = new DatabaseSync(join(lost.folder, 'witness.sqlite'), { readOnly: true });
    expect(file.prepare('SELECT size FROM cosigned').all()).toEqual([{ size: 5 }]);
    file.close();
    const again = lost.restart();
    expect(await again.witness.addCheckpoint(request)).toEqual({ status: 409, size: 5 });
    expect(await again.witness.addCheckpoint({ ...request, oldSize: 5 })).toMatchObject({ status: 200 });
    again.close();
  });
});

it('a witness has each log once', () => {
  const { state, cosigner } = test;
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const twice = [known(log), known(log)];
  expect(() =>
    createWitness({ cosigner, logs: twice, state, evidence: { keep: () => undefined }, log: silent }),
  ).toThrowError(expect.objectContaining({ code: 'invalid_configuration' }));
});
