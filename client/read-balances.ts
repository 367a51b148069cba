import { createPublicClient, http, parseAbi } from 'viem';
import type { Hex } from '../protocol/bytes/hex.ts';
import { asChainError, checkChainId } from './chain/send-transaction.ts';
import type { PayToken, RelayOffer } from './fetch-relay-terms.ts';

const balanceAbi = parseAbi(['function balanceOf(address account) view returns (uint256)']);
const requestTimeoutMs = 20_000;

/** What an address has on a relay's chain. */
export interface Balances {
  /** Ether, for gas. */
  wei: bigint;
  /** Each token that the relay takes, in its order; amounts in atomic units. */
  tokens: readonly (PayToken & { amount: bigint })[];
}

/**
 * Reads what an address has of ether and of each token that a relay takes.
 * @throws AutoPayError `chain_unavailable` if the node does not answer or is on another chain, `transaction_failed` if a token is no contract.
 */
export async function readBalances(options: {
  rpcUrl: string;
  offer: Pick<RelayOffer, 'chainId' | 'tokens'>;
  address: Hex;
}): Promise<Balances> {
  const { offer, address } = options;
  const reader = createPublicClient({ transport: http(options.rpcUrl, { timeout: requestTimeoutMs, retryCount: 2 }) });
  try {
    await checkChainId(reader, offer.chainId);
    const balanceOf = (token: Hex) =>
      reader.readContract({ address: token, abi: balanceAbi, functionName: 'balanceOf', args: [address] });
    const [wei, ...amounts] = await Promise.all([
      reader.getBalance({ address }),
      ...offer.tokens.map((token) => balanceOf(token.address)),
    ]);
    return { wei, tokens: offer.tokens.map((token, index) => ({ ...token, amount: amounts[index] ?? 0n })) };
  } catch (error) {
    throw asChainError(error, 'Reading a balance');
  }
}
