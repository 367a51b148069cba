import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  formatSignature,
  createCosigner,
  createNoteVerifier,
  openNote,
  type NoteSigner,
} from '../../../protocol/log/signed-note.ts';
import { withCosignatures } from '../../../protocol/log/cosignatures.ts';
import { parseAddCheckpoint } from '../../../protocol/log/add-checkpoint.ts';
import { serveHttp, type ServedHttp } from '../../../test/support/serve-http.ts';
import { serveWitness, type ServedWitness } from '../../../witness/serve-witness.ts';
import { openTestWitness, TestLog, type TestWitness } from '../../../witness/witness-fixture.ts';
import type { Witness } from './ask-witness.ts';
import { submitCheckpoint } from './submit-checkpoint.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let log: TestLog;
beforeEach(() => {
  log = new TestLog().grow(5);
});

const submissionOf = (of: TestLog) => {
  const size = of.leaves.length;
  return { size, note: of.checkpoint(), proofFrom: (older: number) => Promise.resolve(of.proof(older, size)) };
};
const submit = (witness: Witness, of = log, oldSize = 0, signal = AbortSignal.timeout(10_000)) =>
  submitCheckpoint(witness, submissionOf(of), { oldSize, signal });

describe('a submission to a witness of our own', () => {
  let test: TestWitness;
  let served: ServedWitness;
  let witness: Witness;
  beforeEach(async () => {
    test = openTestWitness([{ origin: log.origin, verifierKey: log.signer.verifierKey }]);
    served = await serveWitness({ witness: test.witness, host: '127.0.0.1', port: 0, log: silent });
    witness = { url: served.url, verifier: createNoteVerifier(test.cosigner.verifierKey) };
  });
  afterEach(async () => {
    await served.close();
    test.close();
  });

  it('gives a cosignature, whatever was believed of its size before', async () => {
    for (const [size, oldSize] of [
      [5, 0],
      [9, 0],
      [12, 9],
      [12, 12],
      [20, 3],
    ] as const) {
      log.grow(size - log.leaves.length);
      const result = await submit(witness, log, oldSize);
      if (result.kind !== 'cosigned') throw new Error('the witness was overtaken');
      const note = withCosignatures(log.checkpoint(), [result.line]);
      expect(openNote(note, [witness.verifier]).signatures).toHaveLength(1);
      expect(test.state.latest(log.origin)?.size).toBe(size);
    }
  });

  it('of an older checkpoint says how far the witness is', async () => {
    const older = submissionOf(new TestLog().grow(5));
    log.grow(4);
    await submit(witness);
    const result = await submitCheckpoint(witness, older, { oldSize: 0, signal: AbortSignal.timeout(10_000) });
    expect(result).toEqual({ kind: 'overtaken', size: 9 });
  });

  it('of a fork is refused', async () => {
    await submit(witness);
    await expect(submit(witness, new TestLog().grow(7, 'other'))).rejects.toThrow(/answers 422/);
    await expect(submit(witness, new TestLog().grow(5, 'other'))).rejects.toThrow(/another root of 5 entries/);
  });
});

describe('what another answers', () => {
  let served: ServedHttp;
  let answer: (body: string) => { status: number; text: string };
  let witness: Witness;
  let key: NoteSigner;
  beforeEach(async () => {
    key = createCosigner({ name: 'witness.example/w2', seed: Buffer.alloc(32, 0x55) });
    served = await serveHttp((request, response) => {
      void text(request).then((body) => {
        const told = answer(body);
        response.writeHead(told.status).end(told.text);
      });
    });
    witness = { url: served.url, verifier: createNoteVerifier(key.verifierKey) };
  });
  afterEach(() => served.stop());

  const lineOf = (signer: NoteSigner, note: string) =>
    formatSignature({ ...signer, signature: signer.sign(note.slice(0, note.lastIndexOf('\n\n') + 1)) });

  it('is searched for the line of its key', async () => {
    const stranger = createCosigner({ name: 'witness.example/w3', seed: Buffer.alloc(32, 0x56) });
    answer = (body) => {
      const { note } = parseAddCheckpoint(body);
      return { status: 200, text: lineOf(stranger, note) + lineOf(key, note) };
    };
    const result = await submit(witness);
    expect(result).toEqual({ kind: 'cosigned', line: expect.stringMatching(/^— witness.example\/w2 /) });
    answer = (body) => ({ status: 200, text: lineOf(stranger, parseAddCheckpoint(body).note) });
    await expect(submit(witness)).rejects.toMatchObject({ code: 'invalid_signature' });
    answer = () => ({ status: 200, text: lineOf(key, new TestLog().grow(6).checkpoint()) });
    await expect(submit(witness)).rejects.toMatchObject({ code: 'invalid_signature' });
    answer = () => ({ status: 200, text: 'OK' });
    await expect(submit(witness)).rejects.toMatchObject({ code: 'invalid_encoding' });
  });

  it('is bounded, in length and in how often it names another size', async () => {
    let asked = 0;
    answer = () => ({ status: 409, text: `${(asked += 1) % 4}\n` });
    await expect(submit(witness)).rejects.toThrow(/another size each time/);
    expect(asked).toBe(3);
    answer = () => ({ status: 409, text: 'soon' });
    await expect(submit(witness)).rejects.toThrow(/without a size/);
    answer = () => ({ status: 500, text: 'x'.repeat(100_000) });
    await expect(submit(witness)).rejects.toThrow(/more than 16384 bytes/);
    answer = () => ({ status: 403, text: 'unknown key' });
    await expect(submit(witness)).rejects.toThrow(/answers 403: unknown key/);
  });

  it('is not waited for without end', async () => {
    served.server.removeAllListeners('request');
    await expect(submit(witness, log, 0, AbortSignal.timeout(50))).rejects.toMatchObject({
      code: 'upstream_unreachable',
    });
  });
});
