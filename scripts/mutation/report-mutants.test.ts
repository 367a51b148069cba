import { expect, it } from 'vitest';
import type { MutantOutcome } from './judge-mutants.ts';
import { countMutants, describeMutant, explains, type JudgedMutant } from './report-mutants.ts';

function judged(source: string, id: string, outcome: MutantOutcome): JudgedMutant {
  const mutant = { id, operator: '', line: 1, text: '', start: 0, end: 1, original: '', replacement: '' };
  return { source, mutant, verdict: { outcome } };
}

it('counts what became of the mutants of each source', () => {
  const explanation = { id: '3', source: 'A.sol', mutant: '', why: 'Nobody can see it.' };
  const all = [
    judged('A.sol', '1', 'killed'),
    judged('A.sol', '2', 'invalid'),
    judged('A.sol', '3', 'survived'),
    judged('A.sol', '4', 'survived'),
    judged('B.sol', '3', 'survived'),
  ];
  expect(countMutants(all, [explanation])).toEqual([
    { source: 'A.sol', mutants: 4, killed: 1, invalid: 1, survived: 2, explained: 1 },
    { source: 'B.sol', mutants: 1, killed: 0, invalid: 0, survived: 1, explained: 0 },
  ]);
});

it('takes an explanation for the source that it names only', () => {
  const explanation = { id: '3', source: 'A.sol', mutant: '', why: 'Nobody can see it.' };
  expect(explains(explanation, judged('A.sol', '3', 'survived'))).toBe(true);
  expect(explains(explanation, judged('B.sol', '3', 'survived'))).toBe(false);
});

it('describes a mutant on one line', () => {
  const place = { id: '1', line: 1, text: 'require(a <= 1);', start: 0, end: 2 };
  const describe = (operator: string, original: string, replacement: string): string =>
    describeMutant({ ...place, operator, original, replacement });
  expect(describe('<= → <', '<=', '<')).toBe('<= → < in require(a <= 1);');
  expect(describe('number + 1', '1', '2')).toBe('1 → 2 in require(a <= 1);');
  expect(describe('drop require', 'require(\n  a <= 1\n);', '{}')).toBe('drop require: require( a <= 1 );');
  expect(describe('drop modifier', 'nonReentrant', '')).toBe('drop nonReentrant in require(a <= 1);');
  expect(describe('if true', 'a <= 1', 'true')).toBe('if true: a <= 1');
});
