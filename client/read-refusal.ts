import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { decodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { sessionRequestSchema, type ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { amountSchema } from '../protocol/payments/value-schemas.ts';
import { parseChallenges } from '../protocol/mpp/challenge.ts';
import { orUndefined } from '../protocol/errors/or-undefined.ts';
import { parseJson } from '../protocol/text/parse-json.ts';
import { readErrorBody } from './read-error-body.ts';
import { readOffers, type Offer } from './read-offers.ts';

const amountFact = amountSchema.optional().catch(undefined);
const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    quote: amountFact,
    requiredCumulative: amountFact,
    acceptedCumulative: amountFact,
    spent: amountFact,
  }),
});

/** A relay's answer that asks for (another) payment. Amounts are atomic units, and only what the relay claims. */
export interface Refusal {
  /** The relay's error code; undefined if the body is not in the expected shape. */
  code: string | undefined;
  /** A fresh `evm/session` challenge in the wallet's token. */
  challenge: ChallengeEcho | undefined;
  /** What else it can be paid by, in whatever token. */
  offers: readonly Offer[];
  quote: bigint | undefined;
  requiredCumulative: bigint | undefined;
  acceptedCumulative: bigint | undefined;
  spent: bigint | undefined;
  /** The same answer, unread, to hand on. */
  response: Response;
}

/**
 * Reads a 402 or 409 of a relay.
 * @param token the one that the wallet pays in: of several challenges the one that asks for it is taken
 */
export async function readRefusal(response: Response, token: Hex): Promise<Refusal> {
  const { bytes, response: unread } = await readErrorBody(response);
  const facts = errorSchema.safeParse(parseJson(bytes)).data?.error;
  return {
    code: facts?.code,
    challenge: readChallenge(response.headers.get('www-authenticate'), token),
    offers: readOffers(response.headers, bytes).offers,
    quote: facts?.quote,
    requiredCumulative: facts?.requiredCumulative,
    acceptedCumulative: facts?.acceptedCumulative,
    spent: facts?.spent,
    response: unread,
  };
}

function readChallenge(header: string | null, token: Hex): ChallengeEcho | undefined {
  if (header === null) return undefined;
  return orUndefined(() => {
    const sessions = parseChallenges(header).filter(({ method, intent }) => method === 'evm' && intent === 'session');
    // One in another token is taken too if there is no other: it is refused with the reason when it is held to the terms.
    return sessions.find(({ request }) => currencyOf(request) === token) ?? sessions[0];
  });
}

function currencyOf(request: string): Hex | undefined {
  return sessionRequestSchema.safeParse(decodeBase64UrlJson(request)).data?.currency;
}
