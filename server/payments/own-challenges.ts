import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { challengeId, isOwnChallenge } from '../../protocol/mpp/challenge.ts';
import type { ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';

/** MPP challenges of one intent, recognised again without keeping any (draft-httpauth-payment, "Challenge Binding"). */
export interface OwnChallenges {
  /**
   * A challenge to pay in one token.
   * @param offer.amounts members of `request` that differ from call to call, as decimal strings
   * @param offer.ttlSeconds how long it may be answered
   */
  issue(offer: { token: Hex; amounts: Readonly<Record<string, string>>; ttlSeconds: number }): ChallengeEcho;
  /**
   * The token that a challenge asks for, if it is ours, unchanged, and for our present terms; in time or not.
   * @throws AutoPayError `challenge_invalid`
   */
  recognise(echo: ChallengeEcho): Hex;
  /** @throws AutoPayError `challenge_expired` */
  requireCurrent(echo: ChallengeEcho): void;
}

/** What challenges are made of. */
export interface OwnChallengesOptions {
  intent: 'session' | 'charge';
  realm: string;
  /** At least 32 bytes; who has it can make challenges. */
  secret: Uint8Array;
  tokens: readonly Hex[];
  /** What of `request` is the same for every call that is paid in a token. */
  requestFor: (token: Hex) => Readonly<Record<string, unknown>>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Challenges that are recognised without computing; the oldest are forgotten first. */
const maxRecognised = 4096;

const method = 'evm';

/** Makes and knows the challenges of one intent. */
export function createOwnChallenges(options: OwnChallengesOptions): OwnChallenges {
  const { intent, realm, requestFor, nowMs } = options;
  // The id binds the whole request, and its key the terms: a challenge that was issued for another intent, token, chain, contract
  // or payee (before a change of the configuration) is not ours any more. So nothing has to be decoded to compare it.
  const keyOf = (token: Hex) =>
    createHmac('sha256', options.secret)
      .update(canonicalize({ ...requestFor(token), intent, realm }) ?? '')
      .digest();
  const keys = new Map(options.tokens.map((token) => [token, keyOf(token)]));

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
    issue({ token, amounts, ttlSeconds }) {
      const parameters = {
        realm,
        method,
        intent,
        request: encodeBase64UrlJson({ ...requestFor(token), ...amounts }),
        expires: new Date(nowMs() + ttlSeconds * 1000).toISOString(),
      };
      return { id: challengeId(parameters, keys.get(token) ?? keyOf(token)), ...parameters };
    },
    recognise(echo) {
      const known = recognised.get(echo.id);
      if (known && isSame(known.echo, echo)) return known.token;
      const token = requireOwn(echo);
      remember(echo, token);
      return token;
    },
    requireCurrent(echo) {
      // Own challenges always have a valid date, so NaN cannot come from a client.
      if (Date.parse(echo.expires ?? '') > nowMs()) return;
      const message = 'The challenge has expired. Repeat the request with the challenge of this answer.';
      throw new AutoPayError('challenge_expired', message);
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
