import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNoteSigner } from '../../protocol/log/signed-note.ts';
import { createPublisher, readCheckpointFile } from './publish-checkpoint.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-publish-'));
});
afterEach(() => rm(folder, { recursive: true }));

const origin = 'eip155/1/0xaa';
const signers = [createNoteSigner({ name: origin, seed: Buffer.alloc(32, 1) })];
const state = { size: 7, root: Buffer.alloc(32, 3) };

describe('a publisher', () => {
  it('has a checkpoint in the ledger, then in the file, before it is published', async () => {
    const file = join(folder, 'log/checkpoint');
    const steps: string[] = [];
    const addCheckpoint = async ({ note }: { note: string }) => {
      await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
      steps.push(note);
    };
    const publisher = createPublisher({ ledger: { addCheckpoint }, file, origin, signers, nowMs: () => 5 });
    const published = await publisher.publish(state);
    expect(steps).toEqual([published.note]);
    expect(await readFile(file, 'utf8')).toBe(published.note);
    expect(published).toMatchObject({ ...state, origin, signedAtMs: 5 });
    expect(await readCheckpointFile(file, origin)).toEqual({ origin, ...state });
    expect(publisher.isSigned(published.note)).toBe(true);
  });

  it('publishes nothing that ledger or disk did not take', async () => {
    const file = join(folder, 'log/checkpoint');
    const refusing = { addCheckpoint: () => Promise.reject(new Error('no ledger')) };
    const deps = { file, origin, signers, nowMs: () => 5 };
    await expect(createPublisher({ ...deps, ledger: refusing }).publish(state)).rejects.toThrow('no ledger');
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(file, { recursive: true });
    const taking = { addCheckpoint: () => Promise.resolve() };
    await expect(createPublisher({ ...deps, ledger: taking }).publish(state)).rejects.toThrow();
  });
});

describe('the file of the newest checkpoint', () => {
  it('may be missing, and is of this log', async () => {
    const file = join(folder, 'checkpoint');
    expect(await readCheckpointFile(file, origin)).toBeUndefined();
    const ledger = { addCheckpoint: () => Promise.resolve() };
    await createPublisher({ ledger, file, origin, signers, nowMs: () => 5 }).publish(state);
    await expect(readCheckpointFile(file, 'eip155/1/0xbb')).rejects.toMatchObject({ code: 'verification_failed' });
    await writeFile(file, 'damaged');
    await expect(readCheckpointFile(file, origin)).rejects.toThrow('is not the newest checkpoint of eip155/1/0xaa');
  });
});
