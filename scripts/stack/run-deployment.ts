import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DeployContractsOptions, DeployedContracts } from '../deploy-contracts.ts';

const run = promisify(execFile);
const deploymentTimeoutMs = 300_000;

/**
 * Runs scripts/deploy-contracts.ts in a process of its own: Hardhat and its plugins change global state (assertion
 * libraries, signal handlers) that the caller would be left with.
 * @throws Error with the deployment's own message.
 */
export async function runDeployment(
  options: DeployContractsOptions & { root: string; signal: AbortSignal },
): Promise<DeployedContracts> {
  const args = [
    join(options.root, 'scripts/deploy-contracts.ts'),
    ...['--rpc-url', options.rpcUrl, '--chain-id', String(options.chainId), '--relay', options.relayAddress],
    ...['--dispute-window', String(options.disputeWindowSeconds), '--deployment-dir', options.deploymentDir],
    ...Object.entries(options.providers).flatMap(([name, payout]) => ['--provider', `${name}=${payout}`]),
    ...(options.usdc === undefined ? [] : ['--usdc', options.usdc]),
  ];
  const env = { ...process.env, DEPLOYER_PRIVATE_KEY: options.deployerPrivateKey };
  try {
    const { stdout } = await run(process.execPath, args, {
      cwd: options.root,
      env,
      timeout: deploymentTimeoutMs,
      signal: options.signal,
    });
    const start = stdout.indexOf('{\n');
    const printed = JSON.parse(stdout.slice(start)) as DeployedContracts & { deployedAtBlock: string };
    return { ...printed, deployedAtBlock: BigInt(printed.deployedAtBlock) };
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`the contracts were not deployed: ${stderr.trim() || message}`, { cause: error });
  }
}
