import { expect } from 'vitest';
import { lieTable, type Catcher } from './lie-table.ts';

/** Holds what was said of lies against the table, and notes what was shown. */
export interface CatchBook {
  /** Requires the words of the table in what was said. */
  expectCaught(id: string, by: Catcher, said: string): void;
  /** Rows of this file's that no test has shown. */
  missing(): string[];
}

/** Opens the book of a test file. */
export function openCatchBook(file: string): CatchBook {
  const shown = new Set<string>();
  return {
    expectCaught(id, by, said) {
      const words = lieTable.find((row) => row.id === id)?.caught.find((one) => one.by === by)?.words;
      if (words === undefined) throw new Error(`the table does not say how ${by} catches ${id}`);
      expect(said).toContain(words);
      shown.add(`${id} by ${by}`);
    },
    missing() {
      const told = lieTable.flatMap(({ id, caught }) =>
        caught.filter(({ test }) => test.startsWith(`${file}: `)).map(({ by }) => `${id} by ${by}`),
      );
      return told.filter((one) => !shown.has(one));
    },
  };
}
