import type { Hex } from '../../../protocol/bytes/hex.ts';
import { createOwnChallenges, type OwnChallenges } from '../own-challenges.ts';
import type { X402Terms, X402Token } from '../x402/x402-terms.ts';

/** A token with EIP-3009, and the decimals that wallets show its amounts by. */
export interface ChargeToken extends X402Token {
  decimals: number;
}

/** What every `evm/charge` payment to this relay has in common; times and the desk are those of x402, which is settled alike. */
export interface ChargeTerms extends Pick<X402Terms, 'chainId' | 'desk' | 'minValiditySeconds' | 'maxTimeoutSeconds'> {
  /** Those that take EIP-3009 authorizations, in the order in which they are offered. */
  tokens: readonly ChargeToken[];
}

/** The challenges of these terms (MPP EVM charge draft, "Request Schema"). */
export function createChargeChallenges(options: {
  terms: ChargeTerms;
  realm: string;
  secret: Uint8Array;
  nowMs: () => number;
}): OwnChallenges {
  const { terms, realm, secret, nowMs } = options;
  const decimals = new Map<Hex, number>(terms.tokens.map((token) => [token.address, token.decimals]));
  return createOwnChallenges({
    ...{ intent: 'charge', realm, secret, nowMs },
    tokens: [...decimals.keys()],
    requestFor: (token) => ({
      currency: token,
      recipient: terms.desk,
      methodDetails: {
        chainId: terms.chainId,
        credentialTypes: ['authorization'],
        decimals: decimals.get(token),
      },
    }),
  });
}
