import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Verdict } from './judge-mutants.ts';
import type { Mutant } from './list-mutants.ts';

/** Verdicts of this run and of those before it that used the same file. */
export interface KeptVerdicts {
  /** What was found before, unless it may have changed: new tests may notice what survived. */
  find(source: string, mutant: Mutant): Verdict | undefined;
  add(source: string, mutant: Mutant, verdict: Verdict): void;
}

/** Keeps verdicts in a file, a line of JSON each; without one they are not kept. */
export function openVerdicts(file: string | undefined): KeptVerdicts {
  const lines = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const kept = new Map<string, Verdict>();
  for (const line of lines) {
    const { source, id, ...verdict } = JSON.parse(line) as Verdict & { source: string; id: string };
    kept.set(`${source} ${id}`, verdict);
  }
  return {
    find: (source, { id }) => {
      const verdict = kept.get(`${source} ${id}`);
      return verdict?.outcome === 'survived' ? undefined : verdict;
    },
    add: (source, { id }, verdict) => {
      if (file !== undefined) appendFileSync(file, `${JSON.stringify({ source, id, ...verdict })}\n`);
    },
  };
}
