import { createPublicClient, http } from 'viem';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { NetworkParameters } from './network-parameters.ts';

/**
 * Makes sure that what the parameters name is on the chain: USDC, Permit2, x402's proxies and the feeds.
 * @throws AutoPayError `invalid_configuration` naming the first that is not
 */
export async function requireForeignContracts(rpcUrl: string, network: NetworkParameters): Promise<void> {
  const reader = createPublicClient({ transport: http(rpcUrl) });
  const named = {
    USDC: network.usdc,
    Permit2: network.permit2,
    'x402 exact proxy': network.x402?.exactProxy ?? null,
    'x402 upto proxy': network.x402?.uptoProxy ?? null,
    'USDC / USD feed': network.usdcUsdFeed,
    'sequencer feed': network.sequencerFeed,
  };
  for (const [name, contract] of Object.entries(named)) {
    if (contract === null || (await reader.getCode({ address: contract.address })) !== undefined) continue;
    throw new AutoPayError(
      'invalid_configuration',
      `There is no contract at ${contract.address}, where the ${name} of ${network.name} should be (${contract.source}). Compare ignition/parameters with that page.`,
    );
  }
}
