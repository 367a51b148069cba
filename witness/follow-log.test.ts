import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCheckpoint } from '../protocol/log/checkpoint.ts';
import { parseNote } from '../protocol/log/signed-note.ts';
import { tilePath } from '../protocol/log/tile-path.ts';
import { verifyConsistency } from '../protocol/merkle/consistency.ts';
import { openRemoteLog } from './fetch-log.ts';
import { lookAtLog } from './follow-log.ts';
import { openTestWitness, TestLog, type TestWitness } from './witness-fixture.ts';

let log: TestLog;
let test: TestWitness;
let served: { url: string; close(): Promise<void> };
/** What the log lies about, by path. */
let lies: Map<string, string | Uint8Array>;

beforeEach(async () => {
  log = new TestLog().grow(700);
  lies = new Map();
  served = await log.serve(lies);
  test = openTestWitness([{ origin: log.origin, verifierKey: log.signer.verifierKey }]);
});
afterEach(async () => {
  await served.close();
  test.close();
});

const look = () =>
  lookAtLog({
    witness: test.witness,
    known: { origin: log.origin, verifierKey: log.signer.verifierKey },
    remote: openRemoteLog(served.url, new AbortController().signal),
  });

describe('a look at a log', () => {
  it('cosigns what it shows, by a proof from its tiles', async () => {
    expect(await look()).toEqual({ origin: log.origin, size: 700, cosignedBefore: 0 });
    expect(await look()).toEqual({ origin: log.origin, size: 700, cosignedBefore: 700 });
    log.grow(69_000);
    expect(await look()).toEqual({ origin: log.origin, size: 69_700, cosignedBefore: 700 });
    expect(test.evidence()).toEqual([]);
  });

  it('convicts a log that has rewritten entries, by the tiles that it shows itself', async () => {
    await look();
    const [, second, ...rest] = log.leaves;
    log.leaves = second ? [second, second, ...rest] : [];
    log.grow(10);
    await expect(look()).rejects.toThrow(/rewritten entries below 700/);
    const [found] = test.evidence();
    expect(found).toMatchObject({ kind: 'rewritten', origin: log.origin });
    // The file proves it by itself.
    const { root } = parseCheckpoint(parseNote(found?.offered ?? '').text);
    const inBytes = (base64 = '') => Buffer.from(base64, 'base64');
    const { olderRoot, hashes = [] } = found?.proof ?? {};
    const claim = { olderRoot: inBytes(olderRoot), olderSize: 700, newerRoot: root, newerSize: 710 };
    expect(verifyConsistency({ ...claim, proof: hashes.map(inBytes) })).toBe(true);
    expect(parseCheckpoint(parseNote(found?.seen ?? '').text).root).not.toEqual(claim.olderRoot);
    expect(test.state.latest(log.origin)?.size).toBe(700);
  });

  it('does not convict a log whose tiles are damaged', async () => {
    await look();
    log.grow(500);
    const tile = { level: 0, index: 2, width: 256 };
    lies.set(tilePath(tile), Buffer.alloc(32 * 256, 7));
    await expect(look()).rejects.toThrow(/tiles do not lead to the root that it signed/);
    lies.set(tilePath(tile), Buffer.alloc(32 * 200));
    await expect(look()).rejects.toMatchObject({ code: 'verification_failed' });
    lies.set(tilePath(tile), Buffer.alloc(32 * 257));
    await expect(look()).rejects.toMatchObject({ code: 'upstream_error' });
    lies.clear();
    expect(await look()).toMatchObject({ size: 1_200 });
    expect(test.evidence()).toEqual([]);
  });

  it('refuses a log that shows less than before, and keeps the fork that this may be', async () => {
    await look();
    log.leaves.length = 600;
    await expect(look()).rejects.toThrow(/shows 600 entries, and 700 were cosigned/);
    expect(test.evidence()).toEqual([]);
    // Two readers are shown two logs of one size.
    log.grow(100, 'other');
    await expect(look()).rejects.toMatchObject({
      code: 'verification_failed',
      message: expect.stringContaining('another root of its 700 entries'),
    });
    expect(test.evidence()).toMatchObject([{ kind: 'fork' }]);
  });

  it('refuses the checkpoint of another log, of another key, and none at all', async () => {
    const stranger = new TestLog({ seed: 5 }).grow(1);
    lies.set('checkpoint', stranger.checkpoint());
    await expect(look()).rejects.toThrow(/has no signature/);
    lies.set('checkpoint', stranger.checkpoint().replaceAll(log.origin, 'example.com/log'));
    await expect(look()).rejects.toThrow(/shows a checkpoint of example.com/);
    lies.set('checkpoint', 'Bad gateway');
    await expect(look()).rejects.toMatchObject({ code: 'invalid_encoding' });
    lies.set('checkpoint', 'x'.repeat(70_000));
    await expect(look()).rejects.toMatchObject({ code: 'upstream_error' });
    await served.close();
    await expect(look()).rejects.toMatchObject({ code: 'upstream_unreachable' });
    served = await log.serve();
  });
});
