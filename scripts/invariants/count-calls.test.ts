import { describe, expect, it } from 'vitest';
import { countCalls, describeCalls, type InvariantSuite } from './count-calls.ts';

const handler = (name: string): string => `project/test/contracts/invariants/Desk.t.sol:DeskHandler.${name}`;

function result(name: string, accepts: bigint, gifts: bigint): InvariantSuite['testResults'][number] {
  const metrics = {
    [handler('give')]: { calls: gifts, reverts: 1n },
    [handler('accept')]: { calls: accepts, reverts: 0n },
  };
  return { name: `${name}()`, status: 'Success', kind: { runs: 8n, calls: accepts + gifts, reverts: 1n, metrics } };
}

describe('countCalls', () => {
  it('adds up each handler over the invariants of a suite', () => {
    const desk = {
      id: { name: 'DeskInvariantTest' },
      testResults: [
        result('invariant_2', 1500n, 2n),
        // A plain test beside them has no such counts.
        { ...result('test_Setup', 7n, 7n), kind: {} as InvariantSuite['testResults'][number]['kind'] },
        result('invariant_1', 40n, 3n),
      ],
    };
    const audit = { id: { name: 'AuditInvariantTest' }, testResults: [result('invariant_L1', 1n, 1n)] };
    const counted = countCalls([desk, audit]);
    expect(counted.map(({ suite }) => suite)).toEqual(['AuditInvariantTest', 'DeskInvariantTest']);
    expect(counted[1]).toEqual({
      suite: 'DeskInvariantTest',
      invariants: ['invariant_1', 'invariant_2'],
      runs: 8n,
      calls: 1545n,
      reverts: 2n,
      handlers: [
        { handler: 'DeskHandler.accept', calls: 1540n, reverts: 0n },
        { handler: 'DeskHandler.give', calls: 5n, reverts: 2n },
      ],
    });
    expect(describeCalls(counted.slice(1))).toEqual([
      '| suite | invariants | runs of each | calls | reverts |\n| --- | --- | --- | --- | --- |\n' +
        '| `DeskInvariantTest` | 2 | 8 | 1,545 | 2 |',
      '| handler | calls | reverts |\n| --- | --- | --- |\n' +
        '| `DeskHandler.accept` | 1,540 | 0 |\n| `DeskHandler.give` | 5 | 2 |',
    ]);
  });

  it('refuses runs that prove nothing', () => {
    const idle = { id: { name: 'Idle' }, testResults: [result('invariant_1', 0n, 0n)] };
    expect(() => countCalls([idle])).toThrow('Idle.invariant_1() made no calls');
    expect(() => countCalls([{ id: { name: 'None' }, testResults: [] }])).toThrow('None has no invariants');
  });
});
