import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/**
 * Whether an account holds a role of one of our contracts, all of which have the AccessControl of OpenZeppelin.
 * @throws AutoPayError `chain_unavailable`
 */
export function holdsRole(
  client: Pick<ChainClient, 'readContract'>,
  { contract, role, account }: { contract: Hex; role: string; account: Hex },
): Promise<boolean> {
  return callChain(`${role} of ${account}`, () =>
    client.readContract({
      ...{ address: contract, abi: autoPayLlmAbi },
      functionName: 'hasRole',
      args: [nameId(role), account],
    }),
  );
}

/**
 * Whether what the relay signs now counts as evidence: by the later of the chain's clock and ours, because a local chain's
 * runs ahead while it deploys.
 * @throws AutoPayError `chain_unavailable`
 */
export async function isReceiptKeyNow(
  client: Pick<ChainClient, 'getBlock' | 'readContract'>,
  { keyRegistry, relay }: { keyRegistry: Hex; relay: Hex },
): Promise<boolean> {
  const newest = await callChain('the newest block', () => client.getBlock());
  const nowSeconds = BigInt(Math.floor(Date.now() / 1_000));
  const at = newest.timestamp > nowSeconds ? newest.timestamp : nowSeconds;
  return callChain('the receipt key', () =>
    client.readContract({ address: keyRegistry, abi: keyRegistryAbi, functionName: 'isValidAt', args: [relay, at] }),
  );
}
