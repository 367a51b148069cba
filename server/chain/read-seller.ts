import { parseAbi } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

const authorizationAbi = parseAbi([
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
]);

/** What became of an EIP-3009 authorization, at one block. */
export interface AuthorizationState {
  /** Whether its nonce is used: by the payment itself, or by its payer's own cancellation. */
  isUsed: boolean;
  /** The block's time, Unix seconds. */
  atSeconds: number;
}

/**
 * Looks whether an authorization was used.
 * @throws AutoPayError `chain_unavailable`
 */
export async function readAuthorization(
  client: Pick<ChainClient, 'getBlock' | 'readContract'>,
  { token, payer, nonce }: { token: Hex; payer: Hex; nonce: Hex },
): Promise<AuthorizationState> {
  return callChain(`the authorization ${nonce}`, async () => {
    // At the block whose time is told, or one could pass between both questions.
    const { number: blockNumber, timestamp } = await client.getBlock();
    const args = [payer, nonce] as const;
    const isUsed = await client.readContract({
      ...{ address: token, abi: authorizationAbi, functionName: 'authorizationState', args, blockNumber },
    });
    return { isUsed, atSeconds: Number(timestamp) };
  });
}

/**
 * Whether another relay's AutoPayLLM knows an address as its relay, which signs its receipts.
 * @throws AutoPayError `chain_unavailable`; `transaction_reverted` if `payee` is no such contract
 */
export async function isRelayOf(
  client: Pick<ChainClient, 'readContract'>,
  { payee, signer }: { payee: Hex; signer: Hex },
): Promise<boolean> {
  const contract = { address: payee, abi: autoPayLlmAbi } as const;
  return callChain(`the relay of ${payee}`, async () => {
    const role = await client.readContract({ ...contract, functionName: 'RELAY_ROLE' });
    return client.readContract({ ...contract, functionName: 'hasRole', args: [role, signer] });
  });
}
