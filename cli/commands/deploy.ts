import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** What the operator decides; everything else is in ignition/parameters/<network>.json. */
export interface DeployOptions {
  /** A name in ignition/parameters. */
  network: string;
  rpcUrl?: string;
  relay: string;
  guardian?: string;
  bondPayout: string;
  agptHolder: string;
  /** Whole AGPT. */
  agptSupply: string;
  /** `name=address`, one for each provider. */
  provider: readonly string[];
  /** autopay.yaml whose routes are the first price table. */
  pricesFrom?: string;
  /** Where the journal and addresses/ are kept, instead of the project. */
  folder?: string;
}

/**
 * Deploys everything to a public network, in a process of its own, because Hardhat changes global state. It says there what
 * it does; what is deployed is printed as JSON.
 *
 * @returns the exit code
 * @throws AutoPayError `invalid_argument` if a provider has no address
 */
export async function runDeploy(options: DeployOptions): Promise<number> {
  const { provider, ...rest } = options;
  const request = { ...rest, providers: Object.fromEntries(provider.map(parseProvider)) };
  const program = join(import.meta.dirname, '../../scripts/deploy-network.ts');
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin?.end(JSON.stringify(request));
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

function parseProvider(pair: string): [string, string] {
  const cut = pair.lastIndexOf('=');
  if (cut > 0) return [pair.slice(0, cut), pair.slice(cut + 1)];
  throw new AutoPayError('invalid_argument', `--provider needs NAME=ADDRESS, not '${pair}'.`);
}
