import { beforeEach, describe, expect, test } from 'vitest';
import { plainDeployment, type DeploymentTerms } from '../call/routing-terms.ts';
import type { Deployment } from '../call/types.ts';
import { DeploymentHealth } from './deployment-health.ts';

let nowMs: number;
let health: DeploymentHealth;
beforeEach(() => {
  nowMs = 1_700_000_000_000;
  const terms = { allowedFails: 0, restMs: 5_000, mostRestMs: 60_000, refusedKeyMs: 30_000 };
  health = new DeploymentHealth(terms, { nowMs: () => nowMs });
});

function deployment(name: string, terms: Partial<DeploymentTerms> = {}): Deployment {
  return { id: `p@${name}`, provider: 'p', model: 'm', terms: { ...plainDeployment, ...terms } };
}

const freeAt = (one: Deployment, options: { tokens?: number; isOnly?: boolean } = {}) =>
  health.freeAtMs(one, { tokens: 10, isOnly: false, ...options });
const begin = (one: Deployment, tokens = 10) => health.begin(one, { stream: false, tokens });

describe('limits', () => {
  test('of calls at once', () => {
    const one = deployment('a', { maxConcurrentCalls: 2 });
    const first = begin(one);
    expect(freeAt(one)).toBeNull();
    begin(one);
    expect(freeAt(one)).toBe(nowMs + 1_000);
    first.end();
    first.end();
    expect(freeAt(one)).toBeNull();
    expect(health.describe(one, false).inFlight).toBe(1);
  });

  test('of calls in a minute, also where nothing else could answer', () => {
    const one = deployment('a', { rpm: 2 });
    begin(one);
    nowMs += 10_000;
    begin(one);
    expect(freeAt(one, { isOnly: true })).toBe(nowMs - 10_000 + 60_000);
    nowMs += 50_000;
    expect(freeAt(one)).toBeNull();
  });

  test('of tokens in a minute are not widened by a call that ends when its beginning is forgotten', () => {
    const one = deployment('a', { tpm: 100 });
    const [long, longer] = [begin(one, 60), begin(one, 60)];
    nowMs += 59_000;
    long.spend(10);
    nowMs += 1_000;
    longer.spend(10);
    begin(one, 80);
    expect(health.describe(one, false).tokensInMinute).toBe(80);
    expect(freeAt(one, { tokens: 30 })).toBe(nowMs + 60_000);
  });

  test('of tokens in a minute, counted by what was really used', () => {
    const one = deployment('a', { tpm: 100 });
    const lease = begin(one, 60);
    expect(freeAt(one, { tokens: 50 })).toBe(nowMs + 60_000);
    lease.spend(30);
    expect(freeAt(one, { tokens: 50 })).toBeNull();
    expect(health.describe(one, false).tokensInMinute).toBe(30);
    // Larger than the limit: alone, and never beside others.
    expect(freeAt(one, { tokens: 500 })).toBe(nowMs + 60_000);
    nowMs += 60_000;
    expect(freeAt(one, { tokens: 500 })).toBeNull();
  });
});

describe('rests', () => {
  test('after failures, unless nothing else could answer', () => {
    const one = deployment('a');
    begin(one).fail();
    expect(freeAt(one)).toBe(nowMs + 5_000);
    expect(freeAt(one, { isOnly: true })).toBeNull();
    expect(freeAt(deployment('b'))).toBeNull();
    nowMs += 5_000;
    begin(one).answer(10);
    expect(freeAt(one)).toBeNull();
  });

  test('as long as it is asked to', () => {
    const one = deployment('a');
    begin(one).rest(12_000);
    expect(freeAt(one)).toBe(nowMs + 12_000);
  });

  test('with all that a refused key opens', () => {
    begin(deployment('a')).refuseKey();
    const another = { ...deployment('a'), model: 'another' };
    expect(freeAt(another)).toBe(nowMs + 30_000);
    // A region may have a key of its own.
    expect(freeAt(deployment('b'))).toBeNull();
    nowMs += 30_000;
    expect(freeAt(another)).toBeNull();
  });

  test('until it is known to be well', () => {
    const one = deployment('a');
    begin(one).fail();
    begin(one).refuseKey();
    expect(health.rests(one)).toBe(true);
    health.revive(one);
    expect(freeAt(one)).toBeNull();
  });
});

test('remembers how long answers take, streams apart from JSON', () => {
  const one = deployment('a');
  begin(one).answer(100);
  begin(one).answer(200);
  health.begin(one, { stream: true, tokens: 0 }).answer(10);
  expect(health.describe(one, false).latencyMs).toBeCloseTo(130);
  expect(health.describe(one, true).latencyMs).toBe(10);
});

test('one model at one place is one thing, whatever route leads there; another model is another', () => {
  const one = deployment('a');
  begin(one).fail();
  expect(freeAt({ ...one })).not.toBeNull();
  expect(freeAt({ ...one, model: 'other' })).toBeNull();
});
