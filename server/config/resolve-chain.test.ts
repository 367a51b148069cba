import { expect, test } from 'vitest';
import { chainSchema } from './schema/chain-section.ts';
import type { ConfigIssue } from './report-issues.ts';
import { resolveChain } from './resolve-chain.ts';

function resolve(chain: object) {
  const issues: ConfigIssue[] = [];
  const parsed = chainSchema.parse({ id: 8453, rpcUrl: 'http://127.0.0.1:1', ...chain });
  return { ...resolveChain({ chain: parsed }, issues), issues };
}

const tag = (name: string) => ({ kind: 'tag', tag: name });
const blocks = (count: number) => ({ kind: 'blocks', count });

test.each([
  [{}, tag('safe')],
  [{ id: 31_337 }, blocks(0)],
  [{ strategy: 'optimistic_rollups' }, tag('safe')],
  [{ id: 31_337, strategy: 'zk-rollup' }, tag('finalized')],
  [{ strategy: 'none' }, blocks(0)],
  [{ strategy: 'zk-rollup', confirmations: 'safe' }, tag('safe')],
  [{ confirmations: 6 }, blocks(6)],
  [{ confirmations: 0 }, blocks(0)],
])('the finality of %o', (chain, finality) => {
  expect(resolve(chain)).toMatchObject({ finality, issues: [] });
});

test('waits for no more blocks than are watched for reorganisations', () => {
  expect(resolve({ confirmations: 513 }).issues).toEqual([
    { path: ['chain', 'confirmations'], message: 'has to be at most chain.reorgMarginBlocks' },
  ]);
  expect(resolve({ confirmations: 513, reorgMarginBlocks: 600 }).issues).toEqual([]);
});

test('the bounds of the relay’s transactions', () => {
  expect(resolve({}).transactions).toEqual({ maxFeePerGas: 100_000_000_000n, replaceAfterMs: 30_000, maxUnmined: 32 });
  expect(
    resolve({ transactions: { maxFeePerGasGwei: '0.05', replaceAfterSeconds: 5, maxUnmined: 1 } }).transactions,
  ).toEqual({ maxFeePerGas: 50_000_000n, replaceAfterMs: 5_000, maxUnmined: 1 });
  for (const maxFeePerGasGwei of ['0', '0.0000000001']) {
    expect(resolve({ transactions: { maxFeePerGasGwei } }).issues).toMatchObject([
      { path: ['chain', 'transactions', 'maxFeePerGasGwei'] },
    ]);
  }
});
