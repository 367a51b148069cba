import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens, Deployment } from '../../protocol/deployment/deployment-schema.ts';
import type { DeploymentPlace, OperatorChoices } from '../deploy/deployment-options.ts';

const deploymentTimeoutMs = 300_000;

/** What to deploy, where, and how long to wait for it. */
export interface RunDeploymentOptions extends DeploymentPlace {
  /** The project. */
  root: string;
  signal?: AbortSignal;
  choices: OperatorChoices;
  /** Root of the first price table, once the tokens are there; zero: none. */
  priceRootOf: (tokens: DeployedTokens) => Hex;
}

/**
 * Runs scripts/deploy-contracts.ts in a process of its own: Hardhat and its plugins change global state (assertion
 * libraries, signal handlers) that the caller would be left with.
 * @throws Error with the deployment's own message.
 */
export async function runDeployment(options: RunDeploymentOptions): Promise<Deployment> {
  const { root, rpcUrl, chainId, deploymentDir, choices } = options;
  const limits = [AbortSignal.timeout(deploymentTimeoutMs), ...(options.signal ? [options.signal] : [])];
  const child = spawn(process.execPath, [join(root, 'scripts/deploy-contracts.ts')], {
    cwd: root,
    env: { ...process.env, DEPLOYER_PRIVATE_KEY: options.deployerPrivateKey },
    signal: AbortSignal.any(limits),
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });
  // The child may end before it has read everything; its exit code says why.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  const say = (value: object) => void child.stdin.write(`${JSON.stringify(value, amountsAsText)}\n`);
  try {
    say({ rpcUrl, chainId, deploymentDir, choices });
    let deployment: Deployment | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      // Hardhat and Ignition write lines of their own.
      if (!line.startsWith('{"')) continue;
      const said = JSON.parse(line) as { tokens?: DeployedTokens; deployment?: Deployment };
      if (said.tokens) say({ priceRoot: options.priceRootOf(said.tokens) });
      deployment = said.deployment ?? deployment;
    }
    await ended;
    if (deployment !== undefined) return deployment;
    throw new Error(errors.trim() || `it ended with ${child.exitCode}`);
  } catch (cause) {
    throw new Error(`the contracts were not deployed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function amountsAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
