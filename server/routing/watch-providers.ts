import type { Deployment } from '../call/types.ts';
import type { DeploymentHealth } from './deployment-health.ts';

/** How providers are looked at beside their calls. */
export interface WatchOptions {
  /** Every deployment of the configuration. */
  deployments: readonly Deployment[];
  health: DeploymentHealth;
  /** Asks a provider for something that costs nothing; whether it answered, and took the key. MUST NOT reject. */
  probe: (deployment: Deployment) => Promise<boolean>;
  /** Asks the providers of resting deployments so often; null: never, since the next call tells as much. */
  intervalMs: number | null;
  /** Asks every provider once at the start, so that its connection is open. */
  warmUp: boolean;
}

/** Watches providers; returns what ends it. A provider is asked one question at a time. */
export function watchProviders({ deployments, health, intervalMs, probe, warmUp }: WatchOptions): () => void {
  const asked = new Set<string>();
  const ask = async (deployment: Deployment): Promise<void> => {
    if (asked.has(deployment.id)) return;
    asked.add(deployment.id);
    if (await probe(deployment))
      deployments.filter(({ id }) => id === deployment.id).forEach((one) => health.revive(one));
    asked.delete(deployment.id);
  };
  const askAll = (which: readonly Deployment[]) => {
    // Deployments of one endpoint have one connection, and one answer.
    const seen = new Set<string>();
    for (const deployment of which) {
      if (seen.has(deployment.id)) continue;
      seen.add(deployment.id);
      void ask(deployment);
    }
  };
  if (warmUp) askAll(deployments);
  if (intervalMs === null) return () => undefined;
  const timer = setInterval(() => askAll(deployments.filter((one) => health.rests(one))), intervalMs).unref();
  return () => clearInterval(timer);
}
