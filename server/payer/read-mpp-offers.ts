import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { chargeRequestSchema, sessionRequestSchema, type ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';
import type { z } from 'zod';
import type { PaymentRequired } from './upstream-payer.ts';

/** A challenge whose request was understood. */
export interface MppOffer<Request> {
  challenge: ChallengeEcho;
  request: Request;
  /** Unix seconds; null if it does not say. */
  expires: number | null;
}

/** The `evm/session` challenges of a 402. */
export function readSessionOffers(required: PaymentRequired): MppOffer<z.output<typeof sessionRequestSchema>>[] {
  return readOffers(required, 'session', sessionRequestSchema);
}

/** The `evm/charge` challenges of a 402. */
export function readChargeOffers(required: PaymentRequired): MppOffer<z.output<typeof chargeRequestSchema>>[] {
  return readOffers(required, 'charge', chargeRequestSchema);
}

function readOffers<Schema extends z.ZodType>(
  { headers }: PaymentRequired,
  wanted: string,
  schema: Schema,
): MppOffer<z.output<Schema>>[] {
  const value = headers['www-authenticate'];
  if (value === undefined) return [];
  try {
    return parseChallenges(value).flatMap((challenge) => {
      if (challenge.method !== 'evm' || challenge.intent !== wanted) return [];
      const { data } = schema.safeParse(decodeBase64UrlJson(challenge.request));
      const expires = challenge.expires === undefined ? null : Date.parse(challenge.expires) / 1_000;
      if (data === undefined || Number.isNaN(expires)) return [];
      return [{ challenge, request: data, expires: expires === null ? null : Math.floor(expires) }];
    });
  } catch {
    // One that cannot be read spoils the header: which is the next one's begin is not known then.
    return [];
  }
}
