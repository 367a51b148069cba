import { expect, it } from 'vitest';
import { readSource } from './compile-contracts.ts';
import { createJudgeProcess } from './judge-process.ts';
import { listTargets } from './targets.ts';

const targets = listTargets().filter(({ source }) => source === 'contracts/types/PriceRow.sol');

it('takes a mutant on which the tests do not end for noticed, and ends them', async () => {
  const [target] = targets;
  if (target === undefined) throw new Error('the target is not listed');
  const judge = createJudgeProcess(targets);
  try {
    const verdict = await judge.judge({ target, text: readSource(target.source) }, 1);
    expect(verdict).toEqual({ outcome: 'killed', by: 'longer than 0.001 s' });
  } finally {
    judge.end();
  }
}, 120_000);
