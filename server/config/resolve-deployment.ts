import type { ContractAddresses, Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ConfigFile } from './config-schema.ts';
import type { ConfigIssue } from './report-issues.ts';

/** The contracts of the relay, and the first block that may hold an event of them. */
export interface ResolvedDeployment {
  contracts: ContractAddresses;
  deployedAtBlock: number;
}

/**
 * Says which contracts are meant: those of the file, or, if it names none, those that are published for its chain. What is
 * wrong is pushed to `issues`, and undefined returned.
 *
 * @param readPublished reads `addresses/<chainId>.json`; asked only if the file names no contracts
 */
export function resolveDeployment(
  file: Pick<ConfigFile, 'chain' | 'contracts'>,
  readPublished: (chainId: number) => Deployment,
  issues: ConfigIssue[],
): ResolvedDeployment | undefined {
  const { contracts, chain } = file;
  const { id, deployedAtBlock } = chain;
  if (contracts !== undefined) {
    if (deployedAtBlock !== undefined) return { contracts, deployedAtBlock };
    // The published block may be one of other contracts: beyond the first event of these, money would be overlooked.
    issues.push({ path: ['chain'], message: 'needs deployedAtBlock, the first block of the contracts named here' });
    return undefined;
  }
  try {
    const published = readPublished(id);
    return { contracts: published.contracts, deployedAtBlock: deployedAtBlock ?? published.deployedAtBlock };
  } catch (error) {
    if (!(error instanceof AutoPayError)) throw error;
    const message = `is missing, and addresses/ does not help: ${error.message}`;
    issues.push({ path: ['contracts'], message });
    return undefined;
  }
}
