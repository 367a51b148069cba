import { setTimeout as sleep } from 'node:timers/promises';
import type { Router } from '../call/router.ts';
import type { Transport } from '../call/transport.ts';
import type { Clock } from '../call/types.ts';
import { DeploymentHealth } from './deployment-health.ts';
import type { Random } from './order-deployments.ts';
import type { BackoffTerms } from './plan-wait.ts';
import { AttemptRun, type RunDeps } from './run-attempts.ts';

/** What holds where the configuration says nothing. */
const plainBackoff: BackoffTerms = { firstMs: 250, mostMs: 8_000, retryAfterMostMs: 20_000 };
const plainHealth = { allowedFails: 3, restMs: 5_000, mostRestMs: 300_000, refusedKeyMs: 60_000 };

/** What a router is made of. */
export interface RouterOptions {
  transport: Transport;
  clock: Clock;
  /** The state of the deployments; one of its own by default. */
  health?: DeploymentHealth;
  backoff?: BackoffTerms;
  random?: Random;
  /** As in RunDeps; by the machine's timers by default. */
  wait?: RunDeps['wait'];
}

/** Makes the router, the only retry loop of the system: deployments by the strategy of their route, repetitions, other routes. */
export function createRouter(options: RouterOptions): Router {
  const { clock, transport, backoff = plainBackoff, random = Math.random, wait = waitByTimer } = options;
  const health = options.health ?? new DeploymentHealth(plainHealth, clock);
  const deps: RunDeps = { transport, clock, health, backoff, random, wait };
  return { run: (plan) => new AttemptRun(deps, plan).run() };
}

function waitByTimer(durationMs: number, signal: AbortSignal): Promise<void> {
  return sleep(durationMs, undefined, { signal }).catch(() => undefined);
}
