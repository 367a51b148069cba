import { stripVTControlCharacters } from 'node:util';

/** How many tests passed, failed or were skipped. */
export interface TestCount {
  passed: number;
  failed: number;
  skipped: number;
}

/** The number before or after a word at the end of a test run's output; 0 if it does not say. */
function lastNumber(output: string, pattern: RegExp): number {
  return Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

/** Reads the summary of Hardhat's runners ("12 passing", "1 failing"), of Mocha and of Solidity tests alike. */
export function countHardhatTests(output: string): TestCount {
  const text = stripVTControlCharacters(output);
  return {
    passed: lastNumber(text, /^\s*(\d+) passing/gm),
    failed: lastNumber(text, /^\s*(\d+) failing/gm),
    skipped: lastNumber(text, /^\s*(\d+) (?:pending|skipped)/gm),
  };
}

/** Reads Vitest's line "Tests  1 failed | 20 passed | 2 skipped (23)". */
export function countVitestTests(output: string): TestCount {
  const text = stripVTControlCharacters(output);
  const line = [...text.matchAll(/^\s*Tests\s+(.*)$/gm)].at(-1)?.[1] ?? '';
  return {
    passed: lastNumber(line, /(\d+) passed/g),
    failed: lastNumber(line, /(\d+) failed/g),
    skipped: lastNumber(line, /(\d+) (?:skipped|todo)/g),
  };
}
