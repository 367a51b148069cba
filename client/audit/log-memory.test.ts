import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { openLogMemory, type RememberedLog, type RememberedState } from './log-memory.ts';

const origin = `eip155/8453/0x${'ab'.repeat(20)}`;
const root = (byte: string): Hex => `0x${byte.repeat(32)}`;
const anchor = (size: number, byte = '11'): RememberedState => ({
  ...{ size, root: root(byte), seenAtMs: 1_000, evidence: { transactionHash: root('22') } },
});
const checkpoint = (size: number): RememberedState => ({
  size,
  root: root('33'),
  seenAtMs: 2_000,
  evidence: { note: 'note\n' },
});

let stateDir: string;
beforeEach(async () => {
  stateDir = join(await mkdtemp(join(tmpdir(), 'autopay-memory-')), 'client');
});
afterEach(() => rm(join(stateDir, '..'), { recursive: true, force: true }));

describe('the memory of logs', () => {
  it('knows nothing at first, and then the largest states that it was told, in a file of its owner', async () => {
    const memory = openLogMemory(stateDir);
    expect(await memory.read(origin)).toEqual({});
    const remember = async (seen: RememberedLog) => memory.remember(origin, seen, await memory.read(origin));
    await remember({ anchor: anchor(8) });
    await remember({ checkpoint: checkpoint(12) });
    await remember({ anchor: anchor(5, '44'), checkpoint: checkpoint(20) });
    expect(await openLogMemory(stateDir).read(origin)).toEqual({ anchor: anchor(8), checkpoint: checkpoint(20) });
    expect(await memory.read('another')).toEqual({});
    expect((await stat(join(stateDir, 'seen-logs.json'))).mode & 0o777).toBe(0o600);
  });

  it('keeps what another process saw meanwhile: what was not held against it may be another history', async () => {
    const memory = openLogMemory(stateDir);
    const before = await memory.read(origin);
    await memory.remember(origin, { anchor: anchor(8) }, before);
    await memory.remember(origin, { anchor: anchor(12, '44'), checkpoint: checkpoint(13) }, before);
    expect(await memory.read(origin)).toEqual({ anchor: anchor(8), checkpoint: checkpoint(13) });
  });

  it('loses nothing where several processes note at once', async () => {
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        openLogMemory(stateDir).remember(`log ${index}`, { anchor: anchor(index + 1) }, {}),
      ),
    );
    for (let index = 0; index < 8; index += 1) {
      expect(await openLogMemory(stateDir).read(`log ${index}`)).toEqual({ anchor: anchor(index + 1) });
    }
  });

  it('does not take a file that it cannot read for an empty one', async () => {
    const memory = openLogMemory(stateDir);
    await memory.remember(origin, { anchor: anchor(8) }, {});
    await writeFile(join(stateDir, 'seen-logs.json'), '{"version": 2}');
    const refusal = { code: 'invalid_configuration' };
    await expect(memory.read(origin)).rejects.toMatchObject(refusal);
    await expect(memory.remember(origin, { anchor: anchor(9) }, {})).rejects.toMatchObject(refusal);
  });

  it('writes contradictions down, each once', async () => {
    const memory = openLogMemory(stateDir);
    const conflict = {
      kind: 'fork',
      origin,
      earlier: anchor(8),
      later: checkpoint(12),
      rootFound: root('55'),
    } as const;
    const path = await memory.keepEvidence(conflict);
    expect(await memory.keepEvidence(conflict)).toBe(path);
    expect(path).toMatch(/evidence\/log-fork-8-[0-9a-f]{8}\.json$/);
    const { kind, ...rest } = conflict;
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ ...rest, kind: `log-${kind}` });
    expect(await memory.keepEvidence({ ...conflict, earlier: anchor(7) })).not.toBe(path);
  });
});
