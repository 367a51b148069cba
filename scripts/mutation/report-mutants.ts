import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tooling/run-command.ts';
import { writeSection } from '../tooling/write-section.ts';
import type { MutantOutcome, Verdict } from './judge-mutants.ts';
import type { Mutant } from './list-mutants.ts';

/** A mutant of a source, judged. */
export interface JudgedMutant {
  source: string;
  mutant: Mutant;
  verdict: Verdict;
}

/** Why no test can notice a mutant. */
export interface Explanation {
  id: string;
  source: string;
  /** The change, for a reader. */
  mutant: string;
  why: string;
}

/** What became of the mutants of one source. */
export interface MutantRow extends Record<MutantOutcome, number> {
  source: string;
  mutants: number;
  explained: number;
}

const FILE = join(root, 'docs/CONTRACT_TESTS.md');

/** The explained survivors of test/contracts/surviving-mutants.json. */
export function readExplanations(): Explanation[] {
  return JSON.parse(readFileSync(join(root, 'test/contracts/surviving-mutants.json'), 'utf8')) as Explanation[];
}

/** Whether an explanation is of this mutant. */
export function explains({ id, source }: Explanation, judged: JudgedMutant): boolean {
  return id === judged.mutant.id && source === judged.source;
}

/** Counts the outcomes of each source. */
export function countMutants(judged: readonly JudgedMutant[], explanations: readonly Explanation[]): MutantRow[] {
  return [...Map.groupBy(judged, ({ source }) => source)].map(([source, all]) => {
    const count = (outcome: MutantOutcome): number => all.filter(({ verdict }) => verdict.outcome === outcome).length;
    const explained = explanations.filter((one) => all.some((mutant) => explains(one, mutant))).length;
    return {
      source,
      mutants: all.length,
      killed: count('killed'),
      invalid: count('invalid'),
      survived: count('survived'),
      explained,
    };
  });
}

/** A mutant in a few words, on one line. */
export function describeMutant({ operator, original, replacement, text }: Mutant): string {
  const what = original.replaceAll(/\s+/g, ' ');
  if (operator.includes('→')) return `${operator} in ${text}`;
  if (operator === 'number + 1') return `${what} → ${replacement} in ${text}`;
  return operator === 'drop modifier' ? `drop ${what} in ${text}` : `${operator}: ${what}`;
}

/** Writes the table and the explanations into docs/CONTRACT_TESTS.md, between its markers. */
export async function writeMutantTable(
  rows: readonly MutantRow[],
  explanations: readonly Explanation[],
): Promise<void> {
  const sum = (of: (row: MutantRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const cells = (row: Omit<MutantRow, 'source'>): string =>
    `${row.mutants} | ${row.killed} | ${row.invalid} | ${row.explained}`;
  const total = {
    mutants: sum((row) => row.mutants),
    killed: sum((row) => row.killed),
    invalid: sum((row) => row.invalid),
    survived: sum((row) => row.survived),
    explained: sum((row) => row.explained),
  };
  const table = [
    '| source | mutants | noticed | do not compile | survived and explained |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| \`${row.source.replace('contracts/', '')}\` | ${cells(row)} |`),
    `| all | ${cells(total)} |`,
  ];
  const list = explanations.map(
    ({ source, mutant, why }) => `- \`${source.replace('contracts/', '')}\`, \`${mutant}\`: ${why}`,
  );
  await writeSection(FILE, 'mutants', [table.join('\n'), list.join('\n')]);
}
