import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { ChallengeEcho } from '../../../protocol/mpp/session-schemas.ts';
import { createOwnChallenges } from '../own-challenges.ts';
import type { SessionTerms } from './session-terms.ts';

/** Issues `evm/session` challenges and recognises them again, without keeping any. */
export interface ChallengeIssuer {
  /**
   * A challenge to pay in one token.
   *
   * @param offer.quote what the call costs at most, as the price of one unit (`unitType` "request"). Without one it is 1:
   * the least by which a voucher must rise.
   * @param offer.suggestedDeposit in atomic units
   */
  issue(offer: { token: Hex; quote: bigint | undefined; suggestedDeposit: bigint }): ChallengeEcho;
  /**
   * Checks that a credential's challenge is one of ours, unchanged, for our present terms, and in time.
   *
   * @returns the token that it asks for
   * @throws AutoPayError `challenge_invalid`, `challenge_expired`
   */
  check(echo: ChallengeEcho): Hex;
}

/** What an issuer needs. */
export interface ChallengeIssuerOptions {
  terms: SessionTerms;
  realm: string;
  /** At least 32 bytes; who has it can make challenges. */
  secret: Uint8Array;
  ttlSeconds: number;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Makes an issuer (EVM session draft, "Request Schema"). */
export function createChallengeIssuer(options: ChallengeIssuerOptions): ChallengeIssuer {
  const { terms, realm, secret, ttlSeconds, nowMs } = options;
  const isSponsored = (token: Hex) => terms.tokens.some(({ address, domain }) => address === token && domain !== null);
  const challenges = createOwnChallenges({
    ...{ intent: 'session', realm, secret, nowMs },
    tokens: terms.tokens.map(({ address }) => address),
    requestFor: (token) => ({
      unitType: 'request',
      currency: token,
      recipient: terms.recipient,
      methodDetails: {
        ...{ chainId: terms.chainId, escrowContract: terms.escrow },
        ...(isSponsored(token)
          ? { feePayer: true, credentialTypes: ['authorization', 'hash'] }
          : { credentialTypes: ['hash'] }),
      },
    }),
  });
  return {
    issue({ token, quote, suggestedDeposit }) {
      const amounts = { amount: (quote ?? 1n).toString(), suggestedDeposit: suggestedDeposit.toString() };
      return challenges.issue({ token, amounts, ttlSeconds });
    },
    check(echo) {
      const token = challenges.recognise(echo);
      challenges.requireCurrent(echo);
      return token;
    },
  };
}
