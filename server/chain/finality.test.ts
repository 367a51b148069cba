import { expect, test } from 'vitest';
import type { ChainClient } from './create-chain-client.ts';
import { readFinalBlock, secondsToWait, type Finality } from './finality.ts';

/** A chain whose safe and finalized blocks are told. */
function chainWith(tags: Record<string, bigint>): Pick<ChainClient, 'getBlock'> {
  const getBlock = async ({ blockTag }: { blockTag: string }) => {
    await Promise.resolve();
    const number = tags[blockTag];
    if (number === undefined) throw new Error(`unknown block ${blockTag}`);
    return { number };
  };
  return { getBlock: getBlock as unknown as ChainClient['getBlock'] };
}

const safe: Finality = { kind: 'tag', tag: 'safe' };

test('the newest final block, by count or by the chain’s own word', async () => {
  const chain = chainWith({ safe: 90n, finalized: 70n });
  expect(await readFinalBlock(chain, { kind: 'blocks', count: 0 }, 100)).toBe(100);
  expect(await readFinalBlock(chain, { kind: 'blocks', count: 12 }, 100)).toBe(88);
  expect(await readFinalBlock(chain, safe, 100)).toBe(90);
  expect(await readFinalBlock(chain, { kind: 'tag', tag: 'finalized' }, 100)).toBe(70);
  // Two nodes behind one endpoint: one told of block 80 as the newest.
  expect(await readFinalBlock(chain, safe, 80)).toBe(80);
});

test('an endpoint that does not know the tag makes no deposit count', async () => {
  await expect(readFinalBlock(chainWith({}), safe, 100)).rejects.toMatchObject({ code: 'chain_unavailable' });
});

test('when to ask again is bounded', () => {
  expect(secondsToWait(safe)).toBe(15);
  expect(secondsToWait({ kind: 'blocks', count: 3 })).toBe(6);
  expect(secondsToWait({ kind: 'blocks', count: 1_000 })).toBe(30);
});
