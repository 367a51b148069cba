import { describe, expect, it } from 'vitest';
import { cidOfBlock } from '../protocol/log/batch-block.ts';
import { createFirstSource } from './first-source.ts';
import type { BlockSource } from './walk-log.ts';

const block = Buffer.from([0xa0]);
const cid = cidOfBlock(block);
const has: BlockSource = { get: () => Promise.resolve(block) };
const lies: BlockSource = { get: () => Promise.resolve(Buffer.from([0xa1])) };
const lacks: BlockSource = { get: () => Promise.resolve(undefined) };
const fails: BlockSource = { get: () => Promise.reject(new Error('it is down')) };

describe('several sources', () => {
  it('give the right bytes, whatever stands before them', async () => {
    expect(await createFirstSource([fails, lies, lacks, has]).get(cid)).toEqual(block);
  });

  it('say what was wrong where none has them', async () => {
    expect(await createFirstSource([fails, lies]).get(cid)).toEqual(Buffer.from([0xa1]));
    await expect(createFirstSource([lacks, fails]).get(cid)).rejects.toThrow('it is down');
    expect(await createFirstSource([lacks]).get(cid)).toBeUndefined();
  });
});
