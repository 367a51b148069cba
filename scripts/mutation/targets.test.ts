import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../tooling/run-command.ts';
import { parseSource, readSource } from './compile-contracts.ts';
import { listMutants } from './list-mutants.ts';
import { describeMutant, readExplanations } from './report-mutants.ts';
import { listTargets } from './targets.ts';

const targets = listTargets();

describe('listTargets', () => {
  it('names contracts, their parts, types and libraries, but no interface', () => {
    const sources = targets.map(({ source }) => source);
    expect(sources).toEqual(
      expect.arrayContaining([
        'contracts/PaymentChannels.sol',
        'contracts/business/RelayBond.sol',
        'contracts/types/Claim.sol',
        'contracts/libraries/Rfc6962.sol',
      ]),
    );
    expect(sources.filter((source) => source.includes('/interfaces/'))).toEqual([]);
  });

  it('has tests for each source', () => {
    expect(targets.filter(({ tests }) => tests.length === 0)).toEqual([]);
    const files = new Set(targets.flatMap(({ tests }) => tests));
    for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
  });

  it('runs invariants last, which take longest', () => {
    for (const { source, tests } of targets) {
      const isInvariant = tests.map((test) => (test.includes('/invariants/') ? 1 : 0));
      expect(isInvariant, source).toEqual(isInvariant.toSorted((a, b) => a - b));
    }
  });
});

describe('surviving-mutants.json', () => {
  it('explains mutants that there are', { timeout: 60_000 }, () => {
    for (const [source, explanations] of Map.groupBy(readExplanations(), (one) => one.source)) {
      const text = readSource(source);
      const mutants = listMutants(text, parseSource(text));
      for (const { id, mutant, why } of explanations) {
        const found = mutants.find((one) => one.id === id);
        expect(found && describeMutant(found), `${source} ${id}`).toBe(mutant);
        expect(why).toMatch(/\.$/);
      }
    }
  });
});
