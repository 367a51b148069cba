import { parseAbi } from 'viem';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { domainSeparator } from '../../protocol/typed-data/domain-separator.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';

/** The EIP-712 domain of a token's authorizations, beside chain and address. */
export interface TokenDomain {
  name: string;
  version: string;
}

const tokenAbi = parseAbi([
  'function name() view returns (string)',
  'function version() view returns (string)',
  'function eip712Domain() view returns (bytes1, string, string, uint256, address, bytes32, uint256[])',
  'function DOMAIN_SEPARATOR() view returns (bytes32)',
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
]);

/**
 * Asks tokens, in one round, whether they take EIP-3009 authorizations, and in which EIP-712 domain. A token counts only if
 * the domain that it tells gives the separator that it checks signatures by.
 *
 * @returns in the order of `tokens`; null for a token without EIP-3009
 * @throws AutoPayError `chain_unavailable`
 */
export async function readTokenDomains(
  client: Pick<ChainClient, 'readContract' | 'getBlockNumber'>,
  options: { chainId: number; tokens: readonly Hex[] },
): Promise<(TokenDomain | null)[]> {
  // Reads that a token refuses mean no; only this one says that the chain is there at all.
  await callChain('its newest block', () => client.getBlockNumber());
  return Promise.all(options.tokens.map((token) => readDomain(client, { chainId: options.chainId, token })));
}

async function readDomain(
  client: Pick<ChainClient, 'readContract'>,
  { chainId, token }: { chainId: number; token: Hex },
): Promise<TokenDomain | null> {
  const contract = { address: token, abi: tokenAbi } as const;
  const [state, separator, domain, name, version] = await Promise.all([
    orNull(() =>
      client.readContract({ ...contract, functionName: 'authorizationState', args: [zeroAddress, zeroBytes32] }),
    ),
    orNull(() => client.readContract({ ...contract, functionName: 'DOMAIN_SEPARATOR' })),
    orNull(() => client.readContract({ ...contract, functionName: 'eip712Domain' })),
    orNull(() => client.readContract({ ...contract, functionName: 'name' })),
    orNull(() => client.readContract({ ...contract, functionName: 'version' })),
  ]);
  if (state === null || separator === null) return null;
  const told: TokenDomain[] = [
    ...(domain === null ? [] : [{ name: domain[1], version: domain[2] }]),
    ...(name === null || version === null ? [] : [{ name, version }]),
  ];
  const fits = (candidate: TokenDomain) =>
    toHex(domainSeparator({ ...candidate, chainId, verifyingContract: token })) === separator.toLowerCase();
  return told.find(fits) ?? null;
}

/** A revert is the answer no; an endpoint that fails is no answer. */
async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await callChain('the EIP-712 domain of a token', read);
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'transaction_reverted';
}
