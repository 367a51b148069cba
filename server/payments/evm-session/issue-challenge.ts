import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { encodeBase64UrlJson } from '../../../protocol/mpp/base64url-json.ts';
import { challengeId, isOwnChallenge } from '../../../protocol/mpp/challenge.ts';
import type { ChallengeEcho } from '../../../protocol/mpp/session-schemas.ts';
import type { SessionTerms } from './session-terms.ts';

/** Issues `evm/session` challenges and recognises them again, without keeping any. */
export interface ChallengeIssuer {
  /**
   * @param quote what the call costs at most, as the price of one unit (`unitType` "request"). Without one it is 1:
   * the least by which a voucher must rise.
   */
  issue(quote: bigint | undefined): ChallengeEcho;
  /**
   * Checks that a credential's challenge is one of ours, unchanged, for our present terms, and in time.
   *
   * @throws AutoPayError `challenge_invalid`, `challenge_expired`
   */
  check(echo: ChallengeEcho): void;
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
  const request = {
    unitType: 'request',
    suggestedDeposit: terms.suggestedDepositAtomic.toString(),
    currency: terms.token.address,
    recipient: terms.recipient,
    methodDetails: { chainId: terms.chainId, escrowContract: terms.escrow, credentialTypes: ['hash'] },
  };
  // The id binds the whole request, and its key the terms: a challenge that was issued for another token, chain, escrow
  // or payee (before a change of the configuration) is not ours any more. So nothing has to be decoded to compare it.
  const key = createHmac('sha256', options.secret)
    .update(canonicalize({ ...request, suggestedDeposit: undefined, realm }) ?? '')
    .digest();

  // A payer answers one challenge with many vouchers; its HMAC is computed for the first of them.
  const recognised = new Map<string, ChallengeEcho>();
  const remember = (echo: ChallengeEcho) => {
    recognised.set(echo.id, echo);
    const oldest = recognised.keys().next();
    if (recognised.size > maxRecognised && !oldest.done) recognised.delete(oldest.value);
  };
  const requireOwn = (echo: ChallengeEcho) => {
    const isOurs = echo.method === method && echo.intent === intent && echo.realm === realm;
    if (isOurs && isOwnChallenge(echo, key)) return;
    const message = 'The challenge is not one of this relay. Repeat the request with the challenge of this answer.';
    throw new AutoPayError('challenge_invalid', message);
  };

  return {
    issue(quote) {
      const parameters = {
        realm,
        method,
        intent,
        request: encodeBase64UrlJson({ ...request, amount: (quote ?? 1n).toString() }),
        expires: new Date(nowMs() + ttlSeconds * 1000).toISOString(),
      };
      return { id: challengeId(parameters, key), ...parameters };
    },
    check(echo) {
      if (!isRemembered(recognised.get(echo.id), echo)) {
        requireOwn(echo);
        remember(echo);
      }
      // Own challenges always have a valid date, so NaN cannot come from a client.
      if (Date.parse(echo.expires ?? '') <= nowMs()) {
        const message = 'The challenge has expired. Repeat the request with the challenge of this answer.';
        throw new AutoPayError('challenge_expired', message);
      }
    },
  };
}

/** Whether every parameter that the id binds is the one that was seen with this id. */
function isRemembered(known: ChallengeEcho | undefined, echo: ChallengeEcho): boolean {
  return (
    known !== undefined &&
    known.realm === echo.realm &&
    known.method === echo.method &&
    known.intent === echo.intent &&
    known.request === echo.request &&
    known.expires === echo.expires &&
    known.digest === echo.digest &&
    known.opaque === echo.opaque
  );
}
