import { afterEach, describe, expect, it } from 'vitest';
import { createCosigner } from '../protocol/log/signed-note.ts';
import { TestLog } from '../witness/witness-fixture.ts';
import { createToyLog } from './audit/toy-log-fixture.ts';
import type { LogTree } from './audit/log-tree.ts';
import { createCosigning, type Cosigning } from './create-cosigning.ts';

const log = new TestLog().grow(5);
let signedSize = 5;
let cosigning: Cosigning | undefined;
afterEach(() => cosigning?.stop());

/** A log that signs five entries more each time. */
function gather(requiredCosignatures: number, change: Partial<LogTree> = {}): Cosigning {
  const newestCheckpoint = () => {
    const note = log.checkpoint({ size: signedSize });
    return { origin: log.origin, size: signedSize, root: Buffer.alloc(32), signedAtMs: 1, note };
  };
  const update = async () => {
    signedSize = log.grow(5).leaves.length;
    return newestCheckpoint();
  };
  const tree = { newestCheckpoint, update, ...change } as LogTree;
  const { verifierKey } = createCosigner({ name: 'witness.example/gone', seed: Buffer.alloc(32, 9) });
  const config = { requiredCosignatures, witnesses: [{ url: 'http://127.0.0.1:1', key: verifierKey }] };
  return (cosigning = createCosigning({ config, tree, log: createToyLog(), nowMs: () => 1 }));
}

describe('what may be anchored', () => {
  it('is what is signed by now, where no witness has to cosign it', async () => {
    const { anchorableSize } = gather(0);
    const before = signedSize;
    expect(await anchorableSize()).toBe(before + 5);
    expect(signedSize).toBe(before + 5);
  });

  it('is nothing that could not be signed', async () => {
    const { anchorableSize } = gather(0, { update: () => Promise.reject(new Error('the disk is full')) });
    await expect(anchorableSize()).rejects.toThrow('the disk is full');
  });

  it('is what was cosigned before, where the witnesses are away', async () => {
    const { anchorableSize, state } = gather(1);
    expect(await anchorableSize()).toBe(0);
    expect(state().witnesses).toMatchObject([{ error: expect.stringMatching(/cannot be reached/) as string }]);
  });
});
