import { describe, expect, test } from 'vitest';
import { plainDeployment, type DeploymentTerms, type StrategyName } from '../call/routing-terms.ts';
import { orderDeployments, type Candidate } from './order-deployments.ts';

interface Named extends Candidate {
  name: string;
}

function candidate(name: string, changes: Partial<Candidate> = {}, terms: Partial<DeploymentTerms> = {}): Named {
  return { name, inFlight: 0, latencyMs: null, tokensInMinute: 0, ...changes, terms: { ...plainDeployment, ...terms } };
}

const shape = { promptTokens: 1_000, outputTokens: 100 };

function order(strategy: StrategyName, candidates: Named[], random: () => number = () => 0.5): string {
  return orderDeployments(strategy, candidates, { shape, random })
    .map(({ name }) => name)
    .join('');
}

/** How often each comes first of 10,000 times; the same numbers each time. */
function shares(strategy: StrategyName, candidates: Named[]): Record<string, number> {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const counts: Record<string, number> = {};
  for (let call = 0; call < 10_000; call += 1) {
    const first = order(strategy, candidates, random)[0] ?? '';
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
}

describe('strategies', () => {
  test('order: as listed', () => {
    expect(
      order(
        'order',
        ['c', 'a', 'b'].map((name) => candidate(name)),
      ),
    ).toBe('cab');
  });

  test('weights: each first with its share', () => {
    const counts = shares('weights', [candidate('a', {}, { weight: 9 }), candidate('b', {}, { weight: 1 })]);
    expect((counts['a'] ?? 0) / 10_000).toBeCloseTo(0.9, 1);
    expect(counts['b']).toBeGreaterThan(800);
  });

  test('simple-shuffle: by weight, else rpm, else tpm, else alike', () => {
    const by = (terms: Partial<DeploymentTerms>[]) =>
      shares(
        'simple-shuffle',
        terms.map((one, index) => candidate('ab'[index] ?? '', {}, one)),
      );
    expect((by([{ rpm: 300 }, { rpm: 100 }])['a'] ?? 0) / 10_000).toBeCloseTo(0.75, 1);
    expect((by([{ tpm: 100 }, { tpm: 300 }])['b'] ?? 0) / 10_000).toBeCloseTo(0.75, 1);
    expect(
      (by([
        { weight: 1, rpm: 900 },
        { weight: 1, rpm: 1 },
      ])['a'] ?? 0) / 10_000,
    ).toBeCloseTo(0.5, 1);
    expect((by([{}, {}])['a'] ?? 0) / 10_000).toBeCloseTo(0.5, 1);
  });

  test('least-busy: the fewest calls under way', () => {
    const busy = [candidate('a', { inFlight: 3 }), candidate('b', { inFlight: 1 }), candidate('c', { inFlight: 2 })];
    expect(order('least-busy', busy)).toBe('bca');
  });

  test('latency-based: the quickest, and first of all one that was never measured', () => {
    const known = [candidate('a', { latencyMs: 90 }), candidate('b', { latencyMs: 20 }), candidate('c')];
    expect(order('latency-based', known)).toBe('cba');
    expect(order('latency-based-routing', known)).toBe('cba');
  });

  test('usage-based: the fewest tokens, or the smallest part of its limit', () => {
    const plain = [candidate('a', { tokensInMinute: 500 }), candidate('b', { tokensInMinute: 400 })];
    expect(order('usage-based', plain)).toBe('ba');
    const limited = plain.map((one) => ({ ...one, terms: { ...one.terms, tpm: one.name === 'a' ? 10_000 : 1_000 } }));
    expect(order('usage-based-routing-v2', limited)).toBe('ab');
    expect(order('usage-based-routing', limited)).toBe('ab');
  });

  test('cost-based: what this call costs the operator; unknown costs last', () => {
    const priced = [
      candidate('a', {}, { cost: { prompt: 1n, completion: 100n } }),
      candidate('b', {}, { cost: { prompt: 2n, completion: 1n } }),
      candidate('c'),
    ];
    expect(order('cost-based', priced)).toBe('bac');
    expect(order('cost-based-routing', priced)).toBe('bac');
  });

  test('equal ones are left to chance', () => {
    const counts = shares(
      'least-busy',
      ['a', 'b', 'c'].map((name) => candidate(name)),
    );
    for (const name of ['a', 'b', 'c']) expect(counts[name]).toBeGreaterThan(3_000);
  });

  test('a lower order comes first, whatever the strategy', () => {
    const last = candidate('z', { latencyMs: 1 }, { order: 1 });
    const first = [candidate('a', { latencyMs: 90 }), candidate('b', { latencyMs: 80 })];
    expect(order('latency-based', [last, ...first])).toBe('baz');
    expect(order('order', [last, ...first])).toBe('abz');
  });
});
