import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatAddCheckpoint } from '../protocol/log/add-checkpoint.ts';
import { addSignatures, createNoteVerifier, openNote } from '../protocol/log/signed-note.ts';
import { serveWitness, type ServedWitness } from './serve-witness.ts';
import { openTestWitness, TestLog, type TestWitness } from './witness-fixture.ts';

let log: TestLog;
let test: TestWitness;
let served: ServedWitness;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

beforeEach(async () => {
  log = new TestLog().grow(3);
  test = openTestWitness([{ origin: log.origin, verifierKey: log.signer.verifierKey }]);
  served = await serveWitness({ witness: test.witness, host: '127.0.0.1', port: 0, log: silent });
});
afterEach(async () => {
  await served.close();
  test.close();
});

const post = async (body: string | Uint8Array) => {
  const response = await fetch(`${served.url}/add-checkpoint`, { method: 'POST', body });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
};
const requestOf = (oldSize: number) =>
  formatAddCheckpoint({ oldSize, proof: oldSize === 0 ? [] : log.proof(oldSize), note: log.checkpoint() });

describe('the HTTP interface of C2SP tlog-witness', () => {
  it('answers with cosignature lines, then with the size where the old one is stale', async () => {
    const first = await post(requestOf(0));
    expect(first).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' });
    const verifier = createNoteVerifier(test.cosigner.verifierKey);
    expect(
      openNote(addSignatures(log.checkpoint(), first.text.split('\n').slice(0, -1)), [verifier]).signatures,
    ).toHaveLength(1);
    log.grow(2);
    expect(await post(requestOf(0))).toEqual({ status: 409, type: 'text/x.tlog.size', text: '3\n' });
    expect(await post(requestOf(3))).toMatchObject({ status: 200 });
  });

  it('has a status for each refusal', async () => {
    expect(await post('old x\n\n')).toMatchObject({ status: 400 });
    expect(await post(Buffer.from([0x6f, 0x6c, 0x64, 0x20, 0x30, 0x0a, 0x0a, 0xff, 0x0a]))).toMatchObject({
      status: 400,
    });
    expect(await post('x'.repeat(70_000))).toMatchObject({ status: 413 });
    const elsewhere = requestOf(0).replaceAll(log.origin, 'example.com/log');
    expect(await post(elsewhere)).toMatchObject({ status: 404 });
    expect(await post(requestOf(0).replace('\n3\n', '\n4\n'))).toMatchObject({ status: 403 });
    await post(requestOf(0));
    const other = new TestLog().grow(3, 'other');
    const conflict = { status: 409, type: 'text/x.tlog.size', text: '3\n' };
    expect(await post(formatAddCheckpoint({ oldSize: 3, proof: [], note: other.checkpoint() }))).toEqual(conflict);
    other.grow(1, 'other');
    const inconsistent = { oldSize: 3, proof: other.proof(3), note: other.checkpoint() };
    expect(await post(formatAddCheckpoint(inconsistent))).toMatchObject({ status: 422 });
    expect((await fetch(`${served.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${served.url}/other`)).status).toBe(404);
  });

  it('shows the newest checkpoint of a log by the hash of its origin', async () => {
    const place = `${served.url}/${createHash('sha256').update(log.origin).digest('hex')}/checkpoint`;
    expect((await fetch(place)).status).toBe(404);
    await post(requestOf(0));
    const note = await (await fetch(place)).text();
    const keys = [log.signer.verifierKey, test.cosigner.verifierKey].map((key) => createNoteVerifier(key));
    expect(openNote(note, keys).signatures).toHaveLength(2);
  });

  it('says so when it cannot judge, and tells nobody why', async () => {
    test.state.advance = () => {
      throw new Error('database or disk is full');
    };
    const answer = await post(requestOf(0));
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/disk/);
  });

  it('refuses a port that is taken', async () => {
    const port = Number(new URL(served.url).port);
    await expect(serveWitness({ witness: test.witness, host: '127.0.0.1', port, log: silent })).rejects.toMatchObject({
      code: 'port_taken',
    });
  });
});
