import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { encodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { challengeId, isOwnChallenge } from '../../../protocol/mpp/challenge.ts';
import type { ChallengeEcho } from '../../../protocol/mpp/session-schemas.ts';
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

/** Challenges that are recognised without computing; the oldest are forgotten first. */
const maxRecognised = 4096;

const method = 'evm';
const intent = 'session';

/** Makes an issuer (draft-httpauth-payment, "Challenge Binding"; EVM session draft, "Request Schema"). */
export function createChallengeIssuer(options: ChallengeIssuerOptions): ChallengeIssuer {
  const { terms, realm, ttlSeconds, nowMs } = options;
  const requestFor = (token: Hex) => ({
    unitType: 'request',
    currency: token,
    recipient: terms.recipient,
    methodDetails: { chainId: terms.chainId, escrowContract: terms.escrow, credentialTypes: ['hash'] },
  });
  // The id binds the whole request, and its key the terms: a challenge that was issued for another token, chain, escrow
  // or payee (before a change of the configuration) is not ours any more. So nothing has to be decoded to compare it.
  const keyOf = (token: Hex) =>
    createHmac('sha256', options.secret)
      .update(canonicalize({ ...requestFor(token), realm }) ?? '')
      .digest();
  const keys = new Map(terms.tokens.map(({ address }) => [address, keyOf(address)]));

  // A payer answers one challenge with many vouchers; its HMAC is computed for the first of them.
  const recognised = new Map<string, { echo: ChallengeEcho; token: Hex }>();
  const remember = (echo: ChallengeEcho, token: Hex) => {
    recognised.set(echo.id, { echo, token });
    const oldest = recognised.keys().next();
    if (recognised.size > maxRecognised && !oldest.done) recognised.delete(oldest.value);
  };
  const requireOwn = (echo: ChallengeEcho): Hex => {
    const isOurs = echo.method === method && echo.intent === intent && echo.realm === realm;
    for (const [token, key] of isOurs ? keys : []) if (isOwnChallenge(echo, key)) return token;
    const message = 'The challenge is not one of this relay. Repeat the request with the challenge of this answer.';
    throw new AutoPayError('challenge_invalid', message);
  };

  return {
    issue({ token, quote, suggestedDeposit }) {
      const amounts = { amount: (quote ?? 1n).toString(), suggestedDeposit: suggestedDeposit.toString() };
      const parameters = {
        realm,
        method,
        intent,
        request: encodeBase64UrlJson({ ...requestFor(token), ...amounts }),
        expires: new Date(nowMs() + ttlSeconds * 1000).toISOString(),
      };
      const key = keys.get(token) ?? keyOf(token);
      return { id: challengeId(parameters, key), ...parameters };
    },
    check(echo) {
      const known = recognised.get(echo.id);
      const token = known && isSame(known.echo, echo) ? known.token : requireOwn(echo);
      if (!known) remember(echo, token);
      // Own challenges always have a valid date, so NaN cannot come from a client.
      if (Date.parse(echo.expires ?? '') <= nowMs()) {
        const message = 'The challenge has expired. Repeat the request with the challenge of this answer.';
        throw new AutoPayError('challenge_expired', message);
      }
      return token;
    },
  };
}

/** Whether every parameter that the id binds is the same. */
function isSame(known: ChallengeEcho, echo: ChallengeEcho): boolean {
  return (
    known.realm === echo.realm &&
    known.method === echo.method &&
    known.intent === echo.intent &&
    known.request === echo.request &&
    known.expires === echo.expires &&
    known.digest === echo.digest &&
    known.opaque === echo.opaque
  );
}
