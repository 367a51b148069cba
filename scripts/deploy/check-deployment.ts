import { isDeepStrictEqual } from 'node:util';
import type { AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { expectedValues, readLiveValues } from './live-values.ts';
import { expectedRoles, readRoles } from './read-roles.ts';

/**
 * Compares what is on the chain with what was to be deployed: values, wiring and, from their events, roles.
 * @throws AutoPayError `verification_failed` with every difference
 */
export async function checkDeployment(options: {
  rpcUrl: string;
  deployment: Deployment;
  plan: AutoPayPlan;
}): Promise<void> {
  const { deployment, plan } = options;
  const actual = { ...(await readLiveValues(options)), ...(await readRoles(options)) };
  const expected: Record<string, unknown> = { ...expectedValues(deployment, plan), ...expectedRoles(deployment, plan) };
  const differences = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    .filter((name) => !isDeepStrictEqual((actual as Record<string, unknown>)[name], expected[name]))
    .map((name) => `${name} is ${show((actual as Record<string, unknown>)[name])}, not ${show(expected[name])}`);
  if (differences.length === 0) return;
  throw new AutoPayError(
    'verification_failed',
    `The contracts on the chain are not as they should be: ${differences.join('; ')}. Do not use them; deploy anew into a new folder.`,
  );
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'missing';
}
