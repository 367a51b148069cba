import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Deployment } from '../call/types.ts';
import { DeploymentHealth } from './deployment-health.ts';
import { watchProviders } from './watch-providers.ts';

const deployments: Deployment[] = ['a', 'a', 'b'].map((name, index) => ({
  ...{ id: `${name}@x`, provider: name, model: `m${index}` },
}));
let health: DeploymentHealth;
let asked: string[];
let isWell: boolean;
const probe = ({ id }: Deployment) => {
  asked.push(id);
  return Promise.resolve(isWell);
};

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  isWell = true;
  const terms = { allowedFails: 0, restMs: 60_000, mostRestMs: 60_000, refusedKeyMs: 60_000 };
  health = new DeploymentHealth(terms, { nowMs: () => Date.now() });
});
afterEach(() => vi.useRealTimers());

const trip = (at: number) => {
  const one = deployments[at];
  if (one) health.begin(one, { stream: false, tokens: 0 }).fail();
};
const rests = (at: number) => deployments[at] !== undefined && health.rests(deployments[at]);

test('by default nothing is asked', async () => {
  trip(0);
  watchProviders({ deployments, health, probe, intervalMs: null, warmUp: false });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toEqual([]);
});

test('a warm-up asks each endpoint once', async () => {
  watchProviders({ deployments, health, probe, intervalMs: null, warmUp: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(['a@x', 'b@x']);
});

test('only those that rest are asked, until they are well', async () => {
  trip(2);
  isWell = false;
  const stop = watchProviders({ deployments, health, probe, intervalMs: 1_000, warmUp: false });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual(['b@x', 'b@x']);
  isWell = true;
  await vi.advanceTimersByTimeAsync(1_000);
  const well = deployments[2];
  // The next call is the probe that closes the breaker.
  expect(well && health.freeAtMs(well, { tokens: 0, isOnly: false })).toBeNull();
  expect(rests(2)).toBe(true);
  stop();
  await vi.advanceTimersByTimeAsync(9_000);
  expect(asked).toHaveLength(3);
});

test('the answer of an endpoint is that of all its deployments', async () => {
  for (const at of [0, 1]) trip(at);
  const stop = watchProviders({ deployments, health, probe, intervalMs: 1_000, warmUp: false });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toEqual(['a@x']);
  const free = deployments.map((one) => health.freeAtMs(one, { tokens: 0, isOnly: false }));
  expect(free).toEqual([null, null, null]);
  stop();
});
