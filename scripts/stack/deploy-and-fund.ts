import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens, Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { addressOfKey } from './address-of-key.ts';
import type { Chain } from './connect-chain.ts';
import type { StackKeys } from './ensure-keys.ts';
import { fundAccounts } from './fund-accounts.ts';
import { runDeployment } from './run-deployment.ts';
import type { Workplace } from './workplace.ts';

/** AGPT of a stack of one's own, wei: all of it is the demo wallet's, so that votes can be tried. */
const AGPT_SUPPLY = 1_000_000_000n * 10n ** 18n;

/** How to deploy and fund a stack. */
export interface DeployAndFundOptions {
  chain: Chain;
  keys: StackKeys;
  /** Whether the chain was started for this stack. */
  isLocal: boolean;
  usdc?: Hex | undefined;
  /** Root of the price table that the relay will publish, by the tokens' addresses. */
  priceRootOf: (tokens: DeployedTokens) => Hex;
}

/** Deploys what the chain lacks, and gives the relay, its bond and the demo wallet what they need. */
export async function deployAndFund(place: Workplace, options: DeployAndFundOptions): Promise<Deployment> {
  const { chain, keys, usdc } = options;
  const relay = addressOfKey(keys.relayKey);
  const wallet = addressOfKey(keys.walletKey);
  // What a provider earns goes to the deployer until the vote registers the provider's own address.
  const payout = addressOfKey(chain.deployerKey);
  place.log('deploying the contracts');
  const deployment = await runDeployment({
    root: place.root,
    signal: place.signal,
    rpcUrl: chain.rpcUrl,
    chainId: chain.id,
    deployerPrivateKey: chain.deployerKey,
    deploymentDir: join(place.dataDir, 'ignition'),
    choices: {
      relay,
      bondPayout: payout,
      agptHolder: wallet,
      agptSupply: AGPT_SUPPLY,
      providers: { simulated: payout, openai: payout, cache: payout },
      ...(usdc === undefined ? {} : { usdc }),
    },
    priceRootOf: options.priceRootOf,
  });
  place.log('funding the relay, its bond and the demo wallet');
  await fundAccounts({
    rpcUrl: chain.rpcUrl,
    deployment,
    isMintable: usdc === undefined,
    deployerKey: chain.deployerKey,
    walletKey: keys.walletKey,
    relay,
    chain: options.isLocal ? 'local' : 'outside',
    log: place.log,
  });
  return deployment;
}
