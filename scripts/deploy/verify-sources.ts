import type { DeploymentPlace } from './deployment-options.ts';
import { withHardhat } from './open-hardhat.ts';

/**
 * Publishes the sources of everything in the deployment's journal on the chain's Etherscan, where ETHERSCAN_API_KEY is set.
 * A failure is said and nothing more: the contracts are what they are without it, and the command can be repeated.
 */
export async function verifySources(place: DeploymentPlace & { say: (line: string) => void }): Promise<void> {
  const { say, ...where } = place;
  if ((process.env['ETHERSCAN_API_KEY'] ?? '') === '') {
    say('sources are not verified: set ETHERSCAN_API_KEY and repeat the command to publish them');
    return;
  }
  await withHardhat(where, async ({ hre }) => {
    try {
      await hre.tasks.getTask(['ignition', 'verify']).run({ deploymentId: `chain-${where.chainId}`, force: false });
      say('sources are verified');
    } catch (error) {
      say(`sources could not be verified: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}
