import { join } from 'node:path';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import type { DeployedContracts } from '../deploy-contracts.ts';
import type { Chain } from './connect-chain.ts';
import type { StackKeys } from './ensure-keys.ts';
import { fundAccounts } from './fund-accounts.ts';
import { runDeployment } from './run-deployment.ts';
import type { Workplace } from './workplace.ts';

/** As in the blueprint: one hour on the local chain. */
const DISPUTE_WINDOW_SECONDS = 3600;

/** The address of an account. */
export function addressOfKey(privateKey: Hex): Hex {
  return addressOfPrivateKey(fromHex(privateKey, 32));
}

/** Deploys what the chain lacks, and gives the relay and the demo wallet what they need. */
export async function deployAndFund(
  place: Workplace,
  options: { chain: Chain; keys: StackKeys; isLocal: boolean; usdc?: Hex | undefined },
): Promise<DeployedContracts> {
  const { chain, keys, usdc } = options;
  const relay = addressOfKey(keys.relayKey);
  // What a provider earns goes to the deployer until the operator registers the provider's own address.
  const payout = addressOfKey(chain.deployerKey);
  place.log('deploying the contracts');
  const deployed = await runDeployment({
    root: place.root,
    signal: place.signal,
    rpcUrl: chain.rpcUrl,
    chainId: chain.id,
    deployerPrivateKey: chain.deployerKey,
    relayAddress: relay,
    providers: { simulated: payout, openai: payout },
    disputeWindowSeconds: DISPUTE_WINDOW_SECONDS,
    deploymentDir: join(place.dataDir, 'ignition'),
    ...(usdc === undefined ? {} : { usdc }),
  });
  place.log('funding the relay and the demo wallet');
  await fundAccounts({
    rpcUrl: chain.rpcUrl,
    usdc: deployed.usdc,
    mintable: usdc === undefined,
    deployerKey: chain.deployerKey,
    relay,
    wallet: addressOfKey(keys.walletKey),
    chain: options.isLocal ? 'local' : 'outside',
    log: place.log,
  });
  return deployed;
}
