import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { decodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { sessionRequestSchema, type ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import type { RelayTerms } from './fetch-relay-terms.ts';

/** A challenge that ends so soon might end on the way. */
const marginMs = 30_000;

/** Whether a challenge can still be answered. */
export function isCurrent(challenge: ChallengeEcho): boolean {
  return challenge.expires === undefined || Date.parse(challenge.expires) - marginMs > Date.now();
}

/**
 * Holds an `evm/session` challenge to the terms that were checked when the wallet connected.
 * @returns the deposit that the relay suggests, in atomic units.
 * @throws AutoPayError `challenge_invalid` if it asks for anything else, `malformed_credential` if it cannot be read.
 */
export function checkChallenge(challenge: ChallengeEcho, terms: RelayTerms): { suggestedDeposit: bigint | undefined } {
  const { data } = sessionRequestSchema.safeParse(decodeBase64UrlJson(challenge.request));
  const fits =
    data?.methodDetails.chainId === terms.chainId &&
    data.methodDetails.escrowContract === terms.escrow &&
    data.recipient === terms.payee &&
    data.currency === terms.token.address;
  if (!fits) {
    throw new AutoPayError(
      'challenge_invalid',
      "The relay's challenge asks for a payment elsewhere than its terms say. Nothing was signed. Tell its operator.",
    );
  }
  return { suggestedDeposit: data.suggestedDeposit };
}
